/**
 * QAT models as other tools write them: what default onnxruntime makes of the converted model is what the source means, without any
 * fusion of quantizers, and layers that have an integer kernel run in it.
 */
import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import { checkModel } from '../../src/graph/spec.ts';
import type { Model } from '../../src/graph/model.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { lowerFakeQuant } from '../../src/qat/lower.ts';
import { run, steps, type Feeds } from '../quantized/support.ts';
import { constant } from '../support/build.ts';
import { blockScales, f32, i64, Network, scalar, scalesOf, weights, type ForeignModel } from './foreign-models.ts';

async function meaning(model: Model, feeds: Feeds): Promise<TensorValue> {
  const session = await openSession(model, { level: 'disabled', simulate: true });
  const results = await session.run(feeds);
  await session.dispose();
  return Object.values(results)[0]!;
}

/** Largest difference in steps, and what ran. */
async function convert(
  { model, feeds }: ForeignModel,
  step: number,
  exactInt8 = true,
): Promise<{ off: number; types: string[]; lowered: Model }> {
  const { model: lowered } = lowerFakeQuant(model);
  checkModel(lowered);
  const { outputs, types } = await run(lowered, feeds, { exactInt8 });
  return { off: steps(await meaning(model, feeds), Object.values(outputs)[0]!, step), types, lowered };
}

/** onnxruntime has Transposes of its own around some kernels. */
const hasMoves = (model: Model): boolean => [...model.allNodes()].some((each) => each.is('Transpose', 'Reshape'));

const stored = (model: Model): string[] =>
  [...model.graph.values.values()].flatMap(({ constant: tensor }) =>
    tensor && tensor.dims.length > 1 ? [tensor.type.name] : [],
  );

/** A layer over x [1, 4, 8, 8] whose weight's scales lie along `axis`. */
function layer(
  op: 'Conv' | 'ConvTranspose',
  axis: number | undefined,
  { dims = [4, 4, 3, 3], bias = true, group = 1, relu = true, type = 'int8' as 'int8' | 'int4' } = {},
): ForeignModel {
  const network = new Network();
  const x = network.act('x', 0.03);
  const w = weights(dims, axis ?? 0);
  network.constant('w', w);
  const wd = network.pair('w', { scale: scalesOf(w, axis, type === 'int4' ? 7 : 127), axis, type });
  const channels = op === 'Conv' ? dims[0]! : dims[1]! * group;
  const operands = [x, wd, ...(bias ? [network.constant('b', weights([channels], 0, 7))] : [])];
  let y = network.add(op, operands, 'y0', group === 1 ? {} : { group });
  if (relu) y = network.add('Relu', [y], 'y1');
  const size = op === 'Conv' ? 6 : 10;
  return network.done(
    [1, 4, 8, 8],
    network.act(y, 0.02, relu ? 'positive' : 'u8'),
    [1, channels, size, size],
    type === 'int4' ? 21 : 17,
  );
}

/** A product over x [4, 16]. */
function product(axis: number, { transB = 0, bias = true, columns = 16 } = {}): ForeignModel {
  const network = new Network();
  const x = network.act('x', 0.03);
  const w = weights(transB ? [columns, 16] : [16, columns], axis);
  network.constant('w', w);
  const wd = network.pair('w', { scale: scalesOf(w, axis), axis });
  const y = bias
    ? network.add('Gemm', [x, wd, network.constant('b', weights([columns], 0, 5))], 'y', { transB })
    : network.add('MatMul', [x, wd], 'y');
  return network.done([4, 16], network.act(y, 0.02), [4, columns]);
}

describe('scales along any axis of the weight', () => {
  it.each([
    ['Conv, input channels', layer('Conv', 1), 'Conv'],
    ['Conv, input channels, without bias', layer('Conv', 1, { bias: false }), 'Conv'],
    ['Conv, input channels, another number of them', layer('Conv', 1, { dims: [6, 4, 3, 3], relu: false }), 'Conv'],
    ['Conv, a scale per column of the kernel', layer('Conv', 3), 'Conv'],
    ['Conv, output channels', layer('Conv', 0), 'QLinearConv'],
    ['ConvTranspose, input channels', layer('ConvTranspose', 0, { dims: [4, 6, 3, 3] }), 'ConvTranspose'],
    ['ConvTranspose, input channels, square', layer('ConvTranspose', 0), 'ConvTranspose'],
    ['ConvTranspose, output channels', layer('ConvTranspose', 1, { dims: [4, 6, 3, 3] }), 'ConvTranspose'],
    ['ConvTranspose, grouped', layer('ConvTranspose', 1, { dims: [4, 3, 3, 3], group: 2 }), 'ConvTranspose'],
    [
      'ConvTranspose, grouped, input channels',
      layer('ConvTranspose', 0, { dims: [4, 3, 3, 3], group: 2 }),
      'ConvTranspose',
    ],
    ['Gemm, rows', product(0), 'Gemm'],
    ['Gemm, transposed, rows', product(1, { transB: 1 }), 'Gemm'],
    ['Gemm, columns', product(1), 'QGemm'],
    ['Gemm, transposed, columns', product(0, { transB: 1 }), 'QGemm'],
    ['MatMul, rows', product(0, { bias: false }), 'MatMul'],
    ['MatMul, rows, not square', product(0, { bias: false, columns: 6 }), 'MatMul'],
    ['MatMul, columns', product(1, { bias: false }), 'QLinearMatMul'],
  ] as const)('%s', async (_, foreign, kernel) => {
    const { off, types, lowered } = await convert(foreign, 0.02);
    expect(off).toBeLessThan(1.01);
    expect(types).toContain(kernel);
    expect(stored(lowered)).toContain('int8');
    expect(stored(lowered)).not.toContain('float32');
  });
});

describe('four bits stay four bits', () => {
  it('per channel, in integer kernels', async () => {
    const { off, types, lowered } = await convert(layer('Conv', 0, { type: 'int4' }), 0.02);
    expect([off < 1.01, stored(lowered)]).toEqual([true, ['int4']]);
    expect(types).toContain('QLinearConv');
  });

  it.each([
    ['weight only', false],
    ['with activations', true],
  ])('in blocks, %s', async (_, activations) => {
    const network = new Network();
    const w = weights([32, 8], 1);
    network.constant('w', w);
    const x = activations ? network.act('x', 0.03, 's8') : 'x';
    const wd = network.pair('w', { scale: blockScales(w, 16), type: 'int4', axis: 0, block: 16 });
    const y = network.add('MatMul', [x, wd], 'y');
    const foreign = network.done([3, 32], activations ? network.act(y, 0.05, 's8') : y, [3, 8], 21);
    const { off, lowered } = await convert(foreign, 0.05);
    expect(off).toBeLessThan(1.01);
    expect(stored(lowered).filter((type) => type === 'int4')).toHaveLength(2);
    expect(lowered.graph.values.get('w')).toBeUndefined();
  });
});

describe('weights changed behind their quantizer', () => {
  it('HWIO and Transpose (tf2onnx): a scale per output channel on axis 3', async () => {
    const network = new Network();
    const x = network.act('x', 0.03, 's8');
    const w = weights([3, 3, 4, 6], 3);
    network.constant('w', w);
    const wd = network.pair('w', { scale: scalesOf(w, 3), axis: 3 });
    const oihw = network.add('Transpose', [wd], 'oihw', { perm: [3, 2, 0, 1] });
    const y = network.add('Conv', [x, oihw, network.constant('b', weights([6]))], 'y');
    const foreign = network.done([1, 4, 8, 8], network.act(y, 0.02, 's8'), [1, 6, 6, 6]);
    const { off, types, lowered } = await convert(foreign, 0.02);
    expect([off < 1.01, types.includes('QLinearConv'), hasMoves(lowered)]).toEqual([true, true, false]);
  });

  it('depthwise HWCM and Reshape, Transpose (tf2onnx)', async () => {
    const network = new Network();
    const x = network.act('x', 0.03, 's8');
    const w = weights([3, 3, 4, 1], 2);
    network.constant('w', w);
    const wd = network.pair('w', { scale: scalesOf(w, 2), axis: 2 });
    const moved = network.add('Transpose', [wd], 'moved', { perm: [3, 2, 0, 1] });
    const shape = network.constant('shape', i64([4, 1, 3, 3]));
    const oihw = network.add('Reshape', [moved, shape], 'oihw');
    const y = network.add('Conv', [x, oihw], 'y', { group: 4 });
    const foreign = network.done([1, 4, 8, 8], network.act(y, 0.02, 's8'), [1, 4, 6, 6]);
    const { off, types, lowered } = await convert(foreign, 0.02);
    expect([off < 1.01, types.includes('QLinearConv'), hasMoves(lowered)]).toEqual([true, true, false]);
  });

  it('Linear and Transpose, MatMul and Add (PyTorch)', async () => {
    const network = new Network();
    const x = network.act('x', 0.03);
    const w = weights([6, 16], 0);
    network.constant('w', w);
    const wd = network.pair('w', { scale: scalesOf(w, 0), axis: 0 });
    const y = network.add('MatMul', [x, network.add('Transpose', [wd], 'wt', { perm: [1, 0] })], 'm');
    const sum = network.add('Add', [y, network.constant('b', weights([6]))], 'y');
    const { off, types, lowered } = await convert(network.done([4, 16], network.act(sum, 0.02), [4, 6]), 0.02);
    expect([off < 1.01, types.includes('Transpose')]).toEqual([true, false]);
    expect(stored(lowered)).toEqual(['int8']);
  });

  it('blocks of four bits and Transpose', async () => {
    const network = new Network();
    const w = weights([32, 8], 1);
    network.constant('w', w);
    const wd = network.pair('w', { scale: blockScales(w, 16), type: 'int4', axis: 0, block: 16 });
    const y = network.add('MatMul', ['x', network.add('Transpose', [wd], 'wt', { perm: [1, 0] })], 'y');
    const { off, lowered } = await convert(network.done([3, 8], y, [3, 32], 21), 0.05);
    expect(off).toBeLessThan(1.01);
    expect([...lowered.allNodes()].map(({ opType }) => opType)).toEqual(['DequantizeLinear', 'MatMul']);
  });
});

describe('biases in codes', () => {
  const withBias = (write: (network: Network, b: string) => string): ForeignModel => {
    const network = new Network();
    const x = network.act('x', 0.03);
    const w = weights([6, 4, 3, 3], 0);
    network.constant('w', w);
    const wd = network.pair('w', { scale: scalesOf(w, 0), axis: 0 });
    const y = network.add('Conv', [x, wd, write(network, 'b')], 'y');
    return network.done([1, 4, 8, 8], network.act(y, 0.02), [1, 6, 6, 6]);
  };

  it.each([
    [
      'int32 of another scale',
      withBias((network) => {
        const parameters = [network.constant('b', constant('int32', [6], [900, -700, 300, 50, -1200, 8]))];
        parameters.push(network.constant('bs', scalar('float32', 0.001)));
        return network.add('DequantizeLinear', parameters, 'bd');
      }),
    ],
    [
      'int32 of a scale per channel',
      withBias((network) => {
        const parameters = [network.constant('b', constant('int32', [6], [900, -700, 300, 50, -1200, 8]))];
        parameters.push(network.constant('bs', f32([6], [1e-3, 2e-3, 4e-3, 1e-2, 1e-3, 5e-2])));
        return network.add('DequantizeLinear', parameters, 'bd', { axis: 0 });
      }),
    ],
    [
      'a pair of int8',
      withBias((network) => {
        network.constant('b', weights([6]));
        return network.pair('b', { scale: scalar('float32', 0.01) });
      }),
    ],
    [
      'a pair of int8 per channel',
      withBias((network) => {
        network.constant('b', weights([6]));
        return network.pair('b', { scale: f32([6], [0.01, 0.02, 0.003, 0.001, 0.1, 0.01]), axis: 0 });
      }),
    ],
  ] as const)('%s', async (_, foreign) => {
    const { off, types } = await convert(foreign, 0.02);
    expect([off < 1.01, types.includes('QLinearConv')]).toEqual([true, true]);
  });
});

describe('what else they write', () => {
  it.each([
    ['Clip between the quantizers (PyTorch, narrow range)', 'QLinearConv', { clip: [-127, 127] }],
    ['zero points left out', 'QLinearConv', { bare: true }],
    ['unsigned weights, signed activations', 'FusedConv', { type: 'uint8', zero: 128, act: 's8' }],
    ['unsigned weights and activations', 'QLinearConv', { type: 'uint8', zero: 128 }],
    ['a zero point per channel', 'Conv', { type: 'uint8', zeros: [128, 120, 130, 128, 128, 128] }],
    ['weights as codes', 'QLinearConv', { coded: true }],
  ] as const)('%s', async (_, kernel, how: Record<string, unknown>) => {
    const network = new Network();
    const x = network.act('x', 0.03, (how['act'] as 's8' | undefined) ?? 'u8');
    const w = weights([6, 4, 3, 3], 0);
    network.constant('w', w);
    const scale = scalesOf(w, 0);
    const type = (how['type'] as 'uint8' | undefined) ?? 'int8';
    let wd: string;
    if (how['coded']) {
      const codes = (w.data as Float32Array).map((value, i) =>
        Math.round(value / (scale.data[Math.floor(i / 36)] as number)),
      );
      const parameters = [network.constant('wc', constant('int8', w.dims, codes)), network.constant('ws', scale)];
      wd = network.add('DequantizeLinear', parameters, 'wd', { axis: 0 });
    } else if (how['bare']) {
      const s = network.constant('ws', scale);
      // Without a zero point the codes are u8: negative weights would be lost, and the tools write none.
      network.constant('w', { ...w, data: (w.data as Float32Array).map(Math.abs) });
      const q = network.add('QuantizeLinear', ['w', s], 'wq', { axis: 0 });
      wd = network.add('DequantizeLinear', [q, s], 'wd', { axis: 0 });
    } else {
      const zeros =
        (how['zeros'] as number[] | undefined) ??
        Array.from({ length: 6 }, () => (how['zero'] as number | undefined) ?? 0);
      wd = network.pair(
        'w',
        { scale, type, zero: constant(type, [6], zeros), axis: 0 },
        how['clip'] as number[] | undefined,
      );
    }
    const y = network.add('Conv', [x, wd, network.constant('b', weights([6]))], 'y');
    const out = network.act(network.add('Relu', [y], 'r'), 0.02, how['act'] === 's8' ? 's8' : 'positive');
    const { off, types } = await convert(network.done([1, 4, 8, 8], out, [1, 6, 6, 6]), 0.02);
    expect(off).toBeLessThan(1.01);
    expect(types).toContain(kernel);
  });

  it('a weight that two layers share, with a bias each', async () => {
    const network = new Network();
    const x = network.act('x', 0.03);
    const w = weights([4, 4, 1, 1], 0);
    network.constant('w', w);
    const wd = network.pair('w', { scale: scalesOf(w, 0, 63), axis: 0 });
    const one = network.act(network.add('Conv', [x, wd, network.constant('b1', weights([4], 0, 5))], 'one'), 0.01);
    const two = network.act(network.add('Conv', [one, wd, network.constant('b2', weights([4], 0, 6))], 'two'), 0.01);
    // Codes of 7 bits saturate nowhere; onnxruntime's exact products fail on codes that two kernels read.
    const { off, types, lowered } = await convert(network.done([1, 4, 8, 8], two, [1, 4, 8, 8]), 0.01, false);
    expect([off < 2.01, types.filter((type) => type === 'QLinearConv').length]).toEqual([true, 2]);
    expect(stored(lowered)).toEqual(['int8']);
  });

  it('quantizers in a row, with other scales, and a Relu between', async () => {
    const network = new Network();
    const again = network.act(network.act('x', 0.03, 's8'), 0.05, 's8');
    const w = weights([4, 4, 3, 3], 0);
    network.constant('w', w);
    const wd = network.pair('w', { scale: scalesOf(w, undefined) });
    const y = network.act(network.add('Conv', [again, wd], 'y'), 0.02, 's8');
    const out = network.act(network.add('Relu', [y], 'r'), 0.01, 's8');
    const { off } = await convert(network.done([1, 4, 8, 8], out, [1, 4, 6, 6]), 0.02);
    expect(off).toBeLessThan(1.01);
  });
});
