/** --float-type float16: int8 regions as ever, what stays float in float16, on targets that run it. */
import { describe, expect, it } from 'vitest';
import { targets } from '../../../src/backends/targets/index.ts';
import { checkModel } from '../../../src/graph/spec.ts';
import type { Model } from '../../../src/graph/model.ts';
import { observedTensors } from '../../../src/quantizable/plan.ts';
import { parseOverride } from '../../../src/quantizable/overrides.ts';
import { configureWithOverrides } from '../../../src/quantized/formats/index.ts';
import { lint } from '../../../src/quantized/lint/index.ts';
import { buildModel, f32, node, scalar } from '../../support/build.ts';
import { feed, gaussian } from '../make-quantized.ts';
import { rangesFor, run, sqnr } from '../support.ts';

const weights = (rows: number, columns: number, seed: number) =>
  f32(
    [rows, columns],
    gaussian(rows * columns, seed).map((value) => value / Math.sqrt(rows)),
  );

/** Products around what has no integer kernel, and a factor that float16 cannot hold behind the last one. */
function network(): Model {
  return buildModel({
    opset: 20,
    inputs: { x: [256, 32] },
    initializers: {
      ...{
        w1: weights(32, 64, 1),
        w2: weights(64, 32, 2),
        gain: f32([32], gaussian(32, 3)),
        tiny: scalar('float32', 1e-9),
      },
      huge: scalar('float32', 1e6),
    },
    nodes: [
      node('LayerNormalization', ['x', 'gain'], ['n']),
      node('MatMul', ['n', 'w1'], ['a']),
      node('Gelu', ['a'], ['g']),
      node('MatMul', ['g', 'w2'], ['b']),
      node('Erf', ['b'], ['e']),
      node('Mul', ['e', 'huge'], ['y']),
    ],
    outputs: { y: [256, 32] },
  });
}

const x = { x: feed([256, 32]) };
const target = (name: string) => targets.find((each) => each.name === name)!;

async function make(
  name: string,
  floatType: 'float32' | 'float16',
  overrides: readonly string[] = [],
  exclude: string[] = [],
) {
  const model = network();
  const to = target(name);
  const form = configureWithOverrides('qdq', to, to.scheme, { floatType }, overrides.map(parseOverride));
  const request = { target: to, scheme: to.scheme, exclude };
  const wanted = form.plan(model, request);
  const ranges = await rangesFor(model, wanted, x);
  const plan = form.refine(model, request, wanted, ranges);
  expect(observedTensors(plan).length).toBeGreaterThan(0);
  const { model: made } = form.emit(model, plan, ranges);
  checkModel(made);
  return { made, plan, error: sqnr((await run(network(), x)).outputs['y']!, (await run(made, x)).outputs['y']!) };
}

const halves = (model: Model): string[] =>
  [...model.graph.nodes()]
    .filter((each) => !each.is('Cast') && each.inputs.some((value) => value?.producer?.is('Cast')))
    .map(({ opType }) => opType);

describe('the rest in float16', () => {
  it.each(['tensorrt', 'openvino', 'qnn', 'ort-web-webgpu'])('loads, runs and costs nothing: %s', async (name) => {
    const [single, half] = [await make(name, 'float32'), await make(name, 'float16')];
    expect(halves(single.made)).toEqual([]);
    expect(halves(half.made)).toEqual(expect.arrayContaining(['LayerNormalization', 'Gelu']));
    expect(half.error).toBeGreaterThan(single.error - 0.1);
    const [ports] = [half.made.graph.outputs.map(({ type }) => type)];
    expect(ports).toEqual(['float32']);
    expect(lint(half.made, target(name)).map(({ rule }) => rule)).toEqual(
      lint(single.made, target(name)).map(({ rule }) => rule),
    );
    // The same integer regions, with the same float32 scales.
    const quantizers = (model: Model) =>
      [...model.graph.nodes()].filter((each) => each.is('QuantizeLinear', 'DequantizeLinear'));
    expect(quantizers(half.made)).toHaveLength(quantizers(single.made).length);
    for (const each of quantizers(half.made)) expect(each.input(1)!.type).toBe('float32');
  });

  it('says of each node what it is in, and why it is not in float16', async () => {
    const { plan } = await make('tensorrt', 'float16', [], ['Gelu']);
    const half = plan.regions.filter(({ format }) => format === 'fp16').map(({ op }) => op);
    expect(half).toContain('LayerNormalization');
    expect(half).not.toContain('Gelu');
    expect(half).not.toContain('Mul');
    const reasons = Object.fromEntries(plan.float.map(({ op, reason }) => [op, reason]));
    expect(reasons['Mul']).toMatch(/not in float16: its constant 'huge' holds 1\.00e\+6, beyond float16$/);
    expect(reasons['Gelu']).not.toMatch(/float16/);
  });

  it('stands beside overrides of single nodes', async () => {
    const { plan, error } = await make('tensorrt', 'float16', ['Erf: format=float']);
    expect(plan.float.map(({ op }) => op)).toContain('Erf');
    expect(error).toBeGreaterThan(15);
  });

  it('is refused where it wins nothing, with the targets where it does', () => {
    for (const name of ['ort-cpu-x64', 'ort-cpu-arm64', 'ort-web', 'nnapi']) {
      const to = target(name);
      expect(() => configureWithOverrides('qdq', to, to.scheme, { floatType: 'float16' }, [])).toThrow(
        expect.objectContaining({ code: 'FORMAT_FLOAT_TYPE', hint: expect.stringMatching(/tensorrt, /) }),
      );
    }
    const to = target('ort-cpu-x64');
    expect(() => configureWithOverrides('qoperator', to, to.scheme, { floatType: 'float16' }, [])).toThrow(
      expect.objectContaining({ code: 'FORMAT_FLAG' }),
    );
  });
});
