/** Leaving out tensors that fill their limits changes no bit of what is left, and nothing of what is reported. */
import { describe, expect, it } from 'vitest';
import { calibrate } from '../../src/calibrate/calibrate.ts';
import { observerOf } from '../../src/calibrate/observers/index.ts';
import { planProbes } from '../../src/calibrate/probes.ts';
import { saturationLimits, StatisticsRun } from '../../src/calibrate/statistics-run.ts';
import type { Elements } from '../../src/calibrate/statistics-reader.ts';
import { buildModel, f32, node, scalar } from '../support/build.ts';
import { mobilenet, quantizedActivations } from '../support/networks.ts';
import { datasetOf, floatSamples, sha } from './samples.ts';

const model = mobilenet({ width: 0.25, size: 32, classes: 10 });
const tensors = quantizedActivations(model);
const samples = floatSamples(20, [1, 3, 32, 32], 'input').map(({ id, inputs: { input } }) => ({
  id,
  // Strong enough to fill the limits of some tensors, not of all.
  inputs: { input: { ...input!, data: (input!.data as Float32Array).map((value) => 8 * value) } },
}));

/** Quicker than to compare one element at a time. */
function same(a: Elements | undefined, b: Elements | undefined): boolean {
  return a === undefined || b === undefined ? a === b : bytesOf(a).equals(bytesOf(b));
}

function bytesOf({ data }: Elements): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

describe('saturationLimits', () => {
  it('is the limits of a Clip between a convolution and windows, and nothing else', () => {
    const clipped = buildModel({
      inputs: { x: [1, 8, 6, 6] },
      initializers: { w: f32([8, 8, 1, 1]), lo: scalar('float32', -1), hi: scalar('float32', 2) },
      nodes: [
        ...['a', 'b', 'c', 'd'].map((name) => node('Conv', ['x', 'w'], [`${name}0`])),
        ...['a', 'b', 'c'].map((name) => node('Clip', [`${name}0`, 'lo', 'hi'], [name])),
        node('Relu', ['d0'], ['d']),
        node('Clip', ['x', 'lo', 'hi'], ['e']),
        ...['a', 'd', 'e'].map((name) => node('Conv', [name, 'w'], [`${name}1`])),
        node('Add', ['a', 'b'], ['b1']),
      ],
      outputs: ['a1', 'b1', 'c', 'd1', 'e1'],
    });
    const limits = ['a', 'b', 'c', 'd', 'e'].map((name) => saturationLimits(clipped.graph.values.get(name)!));
    // An Add may be fused with what is before it; an output may be kept; a Relu has no upper limit; x is no convolution.
    expect(limits).toEqual([undefined, undefined, undefined, undefined, undefined]);
    expect(saturationLimits(model.graph.values.get('relu6_3')!)).toEqual({ min: 0, max: 6 });
  });
});

describe('StatisticsRun', () => {
  it.each(['minmax', 'percentile'])('gives the same with fewer statistics: %s', async (id) => {
    const observer = observerOf(id);
    const elements = observer.elements ? 'sampled' : 'none';
    const probes = await planProbes(model, tensors, observer, samples[0]!.inputs, {}, elements);
    const { memory } = observer.start(tensors.length, {});
    const plan = { model, probes, names: tensors, kept: [], byChannel: true, options: { simulate: true } };
    const [whole, slim] = [
      await StatisticsRun.open({ ...plan, memory: undefined }),
      await StatisticsRun.open({ ...plan, memory }),
    ];
    const taken: boolean[] = [];
    // A range is what was seen so far: a tensor that was left out reports all of it.
    const seen = [whole, slim].map(() => tensors.map(() => ({ min: 0, max: 0 })));
    for (const { inputs } of samples) {
      const results = [await whole.run(inputs), await slim.run(inputs)];
      results.forEach(({ values }, run) => {
        seen[run]!.forEach((range, i) => {
          range.min = Math.min(range.min, values.min[i]!);
          range.max = Math.max(range.max, values.max[i]!);
        });
      });
      expect(seen[1]).toEqual(seen[0]);
      expect(results[1]!.elements.every((each, i) => same(each, results[0]!.elements[i]))).toBe(true);
      taken.push(await slim.refine(inputs, Infinity));
    }
    // Not at the second look, which finds nothing more.
    expect(taken.flatMap((each, run) => (each ? run + 1 : []))).toEqual([8]);
    await Promise.all([whole.dispose(), slim.dispose()]);
  });

  it('is not opened anew for the few runs that are left', async () => {
    const probes = await planProbes(model, tensors, observerOf('minmax'), samples[0]!.inputs, {});
    const options = { simulate: true };
    const run = await StatisticsRun.open({
      ...{ model, probes, names: tensors, kept: [], byChannel: true, options },
      ...{ memory: undefined },
    });
    for (const { inputs } of samples) {
      await run.run(inputs);
      expect(await run.refine(inputs, 0)).toBe(false);
    }
    await run.dispose();
  });
});

describe('calibrate', () => {
  it.each(['minmax', 'percentile', 'average'])('ends with the same bits: %s', async (observer) => {
    const options = { modelSha256: sha, observer, batchSize: 2 };
    // Of a stream it cannot tell how little is left.
    const streamed = await calibrate(model, tensors, datasetOf(samples, { stream: true }), { from: 0 }, options);
    const halves = await Promise.all(
      [samples.slice(0, 10), samples.slice(10)].map((part) =>
        calibrate(model, tensors, datasetOf(part), { from: 0 }, options),
      ),
    );
    const { merge } = observerOf(observer);
    expect(streamed.arrays).toEqual(halves.map(({ arrays }) => arrays).reduce((a, b) => merge(a, b)));
  });
});
