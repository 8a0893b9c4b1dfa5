/** Words of the command line → options of an observer. */
import { expect, it, describe } from 'vitest';
import { calibrate } from '../../../src/calibrate/calibrate.ts';
import { ortCpuX64 } from '../../../src/backends/targets/onnxruntime-cpu.ts';
import { plannedRanges, observerSettings } from '../../../src/pipeline/calibrate/ranges.ts';
import { configureWithOverrides } from '../../../src/quantized/formats/index.ts';
import { parseOverride } from '../../../src/quantizable/overrides.ts';
import { observedTensors } from '../../../src/quantizable/plan.ts';
import { datasetOf, sha } from '../../calibrate/samples.ts';
import { buildModel, f32, node } from '../../support/build.ts';
import { gaussian } from '../../quantized/make-quantized.ts';
import type { ObserverFlags } from '../../../src/settings/options.ts';

const settings = (observer: ObserverFlags['observer'], observerOption: readonly string[] = [], exact = false) =>
  observerSettings({ observer, observerOption, exact });

describe('observerSettings', () => {
  it('lays what is given over the defaults', () => {
    expect(settings('minmax')).toEqual({});
    expect(settings('percentile')).toEqual({ percentile: 99.99, exact: 0 });
    expect(settings('percentile', ['percentile=99.9'], true)).toEqual({ percentile: 99.9, exact: 1 });
    expect(settings('mse', [' p=2.4 '])).toEqual({ p: 2.4, bits: 8, clip: 1.75, exact: 0 });
  });

  it.each([
    ['percentile', ['99.9'], false, 'CALIBRATE_OBSERVER_SYNTAX'],
    ['percentile', ['percentile=lots'], false, 'CALIBRATE_OBSERVER_SYNTAX'],
    ['percentile', ['percentil=99'], false, 'CALIBRATE_OBSERVER_OPTION'],
    ['percentile', ['percentile=101'], false, 'CALIBRATE_OBSERVER_VALUE'],
    ['minmax', ['percentile=99'], false, 'CALIBRATE_OBSERVER_OPTION'],
    ['minmax', [], true, 'CALIBRATE_OBSERVER_OPTION'],
  ] as const)('refuses %s with %j, exact %s', (observer, words, exact, code) => {
    expect(() => settings(observer, words, exact)).toThrow(expect.objectContaining({ code }));
  });
});

/** Ranges by the width of the quantizer: mse clips less the more codes there are. */

it('a tensor read in 8 and in 16 bits has a range for each', async () => {
  const model = buildModel({
    opset: 21,
    inputs: { x: [1, 4, 128, 128] },
    initializers: { w: f32([4, 4, 1, 1]) },
    nodes: [
      node('Conv', ['x', 'w'], ['a'], {}, { name: 'narrow' }),
      node('Conv', ['x', 'w'], ['b'], {}, { name: 'wide' }),
      node('Add', ['a', 'b'], ['y']),
    ],
    outputs: ['y'],
  });
  // A long tail that 8 bits do better without.
  const data = gaussian(65536).map((value) => value * Math.abs(value));
  const dataset = datasetOf([
    { id: 'one', inputs: { x: { type: 'float32', dims: [1, 4, 128, 128], data: Float32Array.from(data) } } },
  ]);
  const { scheme } = ortCpuX64;
  const form = configureWithOverrides('qdq', ortCpuX64, scheme, {}, [parseOverride('wide: activation-type=u16')]);
  const plan = form.plan(model, { target: ortCpuX64, scheme });
  const state = await calibrate(model, observedTensors(plan), dataset, [0], {
    modelSha256: sha,
    observer: 'mse',
    observerOptions: {},
    threads: 1,
  });
  const ranges = plannedRanges(state, plan);
  const [narrow, wide] = [ranges.get('x')!, ranges.get('x@uint16')!];
  expect(wide.max - wide.min).toBeGreaterThan(1.02 * (narrow.max - narrow.min));
});
