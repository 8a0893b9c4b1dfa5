/** Ratios of scales that integer kernels cannot compute: what onnxruntime does with them, what lint says, and that none are written. */
import { describe, expect, it } from 'vitest';
import { ortCpuX64 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import type { Model } from '../../src/graph/model.ts';
import { lowerFakeQuant } from '../../src/qat/lower.ts';
import { emitQdq } from '../../src/quantized/qdq.ts';
import { lint } from '../../src/quantized/lint/index.ts';
import { limitScale, uncomputable } from '../../src/quantized/requantize.ts';
import { buildModel, f32, node, scalar } from '../support/build.ts';
import { anyCpu, planFor, rangesFor, run, steps, type Feeds } from './support.ts';

const image: Feeds = {
  x: { type: 'float32', dims: [1, 4, 6, 6], data: Float32Array.from({ length: 144 }, (_, i) => i / 144) },
};

/** DequantizeLinear → op → QuantizeLinear, the output scale 1/ratio of the input's. */
function between(op: string, ratio: number, dims: (number | string)[] = [1, 4, 6, 6]): Model {
  const operands = op === 'Add' || op === 'Mul' ? ['xd', 'xd'] : ['xd'];
  return buildModel({
    inputs: { x: dims },
    outputs: ['y'],
    initializers: { s: scalar('float32', 1 / 256), t: scalar('float32', 1 / 256 / ratio), z: scalar('uint8', 0) },
    nodes: [
      node('QuantizeLinear', ['x', 's', 'z'], ['xq']),
      node('DequantizeLinear', ['xq', 's', 'z'], ['xd']),
      node(op, operands, ['h'], op === 'AveragePool' ? { kernel_shape: [2, 2] } : {}),
      node('QuantizeLinear', ['h', 't', 'z'], ['hq']),
      node('DequantizeLinear', ['hq', 't', 'z'], ['y']),
    ],
  });
}
const findings = (model: Model) => lint(model, ortCpuX64).filter(({ rule }) => rule === 'scale-ratio');

describe('uncomputable', () => {
  it.each(['constructor', 'toString', '__proto__'])('knows no operator called %s', (name) => {
    const model = between(name, 2 ** 40);
    expect([...model.allNodes()].map((each) => uncomputable(each))).toEqual([...model.allNodes()].map(() => undefined));
    expect(lint(model, anyCpu).filter(({ rule }) => rule === 'scale-ratio')).toEqual([]);
  });

  it.each([
    [255 * 36, false],
    [257 * 36, true],
    [36 / 2 ** 31, false],
    [36 / 2 ** 33, true],
  ])('GlobalAveragePool at a ratio of %d: as onnxruntime has it', async (ratio, refused) => {
    const model = between('GlobalAveragePool', ratio);
    expect(uncomputable(model.graph.values.get('h')!.producer!)?.refused ?? false).toBe(refused);
    expect(findings(model)).toHaveLength(Number(refused));
    const ran = run(model, image);
    if (refused) await expect(ran).rejects.toThrow(/out of computation range/);
    else await expect(ran).resolves.toBeDefined();
  });

  it('an image of unknown size: what no usual image could make right', () => {
    const open = (ratio: number) => findings(between('GlobalAveragePool', ratio, [1, 4, 'h', 'w'])).length;
    expect([open(300), open(2 ** 23), open(2 ** 24), open(2 ** -33)]).toEqual([0, 0, 1, 1]);
  });

  it.each(['AveragePool', 'Add', 'Mul'])('%s overflows, where float saturates', async (op) => {
    const [fine, beyond] = op === 'Mul' ? [2 ** 20, 2 ** 25] : [2 ** 20, 2 ** 26];
    const at = async (ratio: number): Promise<[number, number]> => {
      const model = between(op, ratio);
      const [said, ran] = [await run(model, image, { simulate: true }), await run(model, image)];
      expect(ran.types).toContain(`QLinear${op}`);
      return [findings(model).length, steps(said.outputs['y']!, ran.outputs['y']!, 1 / 256 / ratio)];
    };
    const [none, exact] = await at(fine);
    expect([none, exact < 1.5]).toEqual([0, true]);
    const [one, wrong] = await at(beyond);
    expect([one, wrong > 200]).toEqual([1, true]);
  });

  it('codes of 16 bits have no such kernels, nor has what onnxruntime does not fuse', () => {
    const wide = between('GlobalAveragePool', 1e9);
    wide.graph.values.get('z')!.initializer = scalarTensor();
    expect(findings(wide)).toEqual([]);
    const kept = between('GlobalAveragePool', 1e9);
    kept.graph.addOutput(kept.graph.values.get('h')!);
    expect(findings(kept)).toEqual([]);
  });
});

const scalarTensor = () =>
  buildModel({ outputs: ['z'], initializers: { z: scalar('uint16', 0) }, nodes: [] }).graph.values.get('z')!
    .initializer!;

describe('what is written', () => {
  it('limits the scale to what the kernel computes, and no more', () => {
    const given = { type: 'uint8', scale: 1e-12, zeroPoint: 3 } as const;
    expect(limitScale('GlobalAveragePool', [1], given)).toEqual({ ...given, scale: Math.fround(255 / 2 ** 15) });
    expect(limitScale('GlobalAveragePool', [1], { ...given, scale: 1e12 }).scale).toBe(255);
    expect(limitScale('Add', [1, 3], given).scale).toBe(Math.fround((255 * 4) / 2 ** 30));
    expect(limitScale('Add', [1, 3], { ...given, scale: 0.5 }).scale).toBe(0.5);
    expect(limitScale('Conv', [1], given)).toBe(given);
    expect(limitScale('Add', [1, 3], { ...given, type: 'uint16' }).scale).toBe(1e-12);
  });

  it('quantize: a pool of almost nothing runs, and convert leaves such a pool float', async () => {
    const model = buildModel({
      inputs: { x: [1, 4, 6, 6] },
      outputs: ['y'],
      initializers: { w: f32([4, 4, 1, 1]), w2: f32([4, 4, 1, 1]) },
      nodes: [
        node('Conv', ['x', 'w'], ['c']),
        node('GlobalAveragePool', ['c'], ['p']),
        node('Conv', ['p', 'w2'], ['y']),
      ],
    });
    const plan = planFor(model, {}, anyCpu);
    const ranges = await rangesFor(model, plan, image);
    const int8 = emitQdq(model, plan, new Map([...ranges, ['p', { min: 0, max: 1e-9 }]])).model;
    expect(findings(int8)).toEqual([]);
    const { types } = await run(int8, image);
    expect(types).toContain('QLinearGlobalAveragePool');

    const trained = between('GlobalAveragePool', 1e10);
    const lowered = lowerFakeQuant(trained);
    expect(lowered.float).toEqual(['n_h']);
    expect(findings(lowered.model)).toEqual([]);
    const [said, ran] = [await run(trained, image, { simulate: true }), await run(lowered.model, image)];
    expect(ran.outputs['y']!.data).toEqual(said.outputs['y']!.data);
  });
});
