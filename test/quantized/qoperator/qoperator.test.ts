/**
 * Every operator between two int8 neighbours, written on codes: no float between the first quantizer and the last, and the same
 * result as the simulation of the QDQ form it was made from.
 */
import { describe, expect, it } from 'vitest';
import { ortCpuX64 } from '../../../src/backends/targets/onnxruntime-cpu.ts';
import { configureFormat } from '../../../src/quantized/formats/index.ts';
import { buildModel, f32, i64, node } from '../../support/build.ts';
import { make } from '../make-quantized.ts';
import { build, cases, x } from '../operator-cases.ts';
import { anyCpu, run, steps } from '../support.ts';

/** Layout operators on codes keep their name, the others are called after the integer kernel. */
const kernelOf: Readonly<Record<string, string>> = {
  Conv: 'QLinearConv',
  Gemm: 'QGemm',
  MatMul: 'QLinearMatMul',
  ...Object.fromEntries(
    ['Add', 'Mul', 'Concat', 'Where', 'LeakyRelu', 'Sigmoid', 'Softmax', 'GlobalAveragePool', 'AveragePool'].map(
      (op) => [op, `QLinear${op}`],
    ),
  ),
};

describe('QOperator', () => {
  for (const [name, example] of Object.entries(cases)) {
    if ((example.opset ?? 17) < 13) continue;
    it(name, async () => {
      const type = name.split(' ')[0]!;
      const model = build(example);
      const settings = { target: anyCpu, feeds: x };
      const [written, qdq] = [await make('qoperator', model, settings), await make('qdq', model, settings)];
      const nodes = [...written.model.graph.nodes()];
      const types = nodes.map(({ opType }) => opType);
      if (example.island) expect(types).toContain(type);
      else {
        // One quantizer for the input; one dequantizer where the last convolution's codes leave.
        expect(types.filter((op) => op === 'QuantizeLinear' || op === 'DequantizeLinear')).toHaveLength(2);
        if (kernelOf[type]) expect(types).toContain(kernelOf[type]);
      }
      const [real, simulated] = [await run(written.model, x), await run(qdq.model, x, { simulate: true })];
      // As in QDQ: integer kernels may round to the neighbouring code, and the last convolution sums 8 or 16 of them.
      const step = written.activations.get('y')!.scale;
      expect(steps(simulated.outputs['y']!, real.outputs['y']!, step)).toBeLessThanOrEqual(2.01);
    });
  }

  it('limits codes where the range of a symmetric tensor does not', async () => {
    const model = buildModel({
      inputs: { x: [1, 3, 6, 6] },
      outputs: ['y'],
      initializers: { w: f32([4, 3, 3, 3]), v: f32([4, 4, 1, 1]) },
      nodes: [node('Conv', ['x', 'w'], ['a']), node('Relu', ['a'], ['r']), node('Conv', ['r', 'v'], ['y'])],
    });
    const target = {
      ...anyCpu,
      scheme: { ...anyCpu.scheme, activationType: 'int8', activationSymmetric: true } as const,
    };
    const [written, qdq] = [
      await make('qoperator', model, { target, feeds: x }),
      await make('qdq', model, { target, feeds: x }),
    ];
    expect([...written.model.graph.nodes()].map(({ opType }) => opType)).toEqual([
      'QuantizeLinear',
      'QLinearConv',
      'Clip',
      'QLinearConv',
      'DequantizeLinear',
    ]);
    const [real, simulated] = [await run(written.model, x), await run(qdq.model, x, { simulate: true })];
    const step = written.activations.get('y')!.scale;
    expect(steps(simulated.outputs['y']!, real.outputs['y']!, step)).toBeLessThanOrEqual(1.01);
  });

  it('lets the last product write float', async () => {
    const model = buildModel({
      inputs: { x: [1, 3, 6, 6] },
      outputs: ['y', 'z'],
      initializers: { w: f32([108, 10]), c: f32([10]), shape: i64([1, 108]) },
      nodes: [
        node('Reshape', ['x', 'shape'], ['f']),
        node('Gemm', ['f', 'w', 'c'], ['y']),
        node('MatMul', ['f', 'w'], ['z']),
      ],
    });
    const { model: written } = await make('qoperator', model, { target: anyCpu, feeds: x });
    expect(
      [...written.graph.nodes()]
        .map(({ opType }) => opType)
        .slice(-2)
        .toSorted(),
    ).toEqual(['MatMulIntegerToFloat', 'QGemm']);
    await run(written, x);
  });

  it('has no 16-bit kernels, and says what does', () => {
    const scheme = { ...ortCpuX64.scheme, activationType: 'uint16' } as const;
    expect(() => configureFormat('qoperator', scheme, {})).toThrow(expect.objectContaining({ code: 'FORMAT_TYPES' }));
  });
});
