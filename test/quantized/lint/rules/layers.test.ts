/** What integer kernels take for granted of a layer: lint says where a model says otherwise, and onnxruntime then computes it wrongly. */
import { describe, expect, it } from 'vitest';
import { ortCpuX64, ortCpuX64Avx2 } from '../../../../src/backends/targets/onnxruntime-cpu.ts';
import type { Model } from '../../../../src/graph/model.ts';
import { lint } from '../../../../src/quantized/lint/index.ts';
import { Network, scalesOf, weights } from '../../../qat/foreign-models.ts';
import { buildModel, constant, f32, node, scalar, type Constant } from '../../../support/build.ts';
import { run, sqnr, type Feeds } from '../../support.ts';

const findings = (model: Model) =>
  lint(model, ortCpuX64).map(({ rule, node: at, message, remedy }) => `${rule} ${at}: ${message}; ${remedy}`);

const x: Feeds = {
  x: { type: 'float32', dims: [1, 4, 5, 5], data: Float32Array.from({ length: 100 }, (_, i) => Math.sin(i * 1.7)) },
};
/** As the file says it, and as onnxruntime runs it. */
async function agreement(model: Model): Promise<number> {
  const [said, ran] = [await run(model, x, { simulate: true }), await run(model, x)];
  return sqnr(said.outputs['y']!, ran.outputs['y']!);
}

const codes = (dims: readonly number[]): Constant => {
  const size = dims.reduce((n, d) => n * d, 1);
  return constant(
    'int8',
    dims,
    Array.from({ length: size }, (_, i) => ((i * 37) % 101) - 50),
  );
};
const scales = f32([4], [0.01, 0.02, 0.04, 0.08]);
const quantizers = {
  sx: scalar('float32', 1 / 64),
  zx: scalar('uint8', 128),
  sy: scalar('float32', 1 / 8),
  zw: constant('int8', [4], [0, 0, 0, 0]),
};
const input = [node('QuantizeLinear', ['x', 'sx', 'zx'], ['xq']), node('DequantizeLinear', ['xq', 'sx', 'zx'], ['xd'])];
const result = [node('QuantizeLinear', ['h', 'sy', 'zx'], ['hq']), node('DequantizeLinear', ['hq', 'sy', 'zx'], ['y'])];

/** A square Conv, its weight with scales along `axis`, and a bias at `biasScales`. */
function conv(axis: number, biasScales?: Constant): Model {
  const bias = biasScales
    ? [node('DequantizeLinear', ['b', 'sb'], ['bd'], biasScales.dims.length > 0 ? { axis: 0 } : {})]
    : [];
  return buildModel({
    inputs: { x: [1, 4, 5, 5] },
    outputs: ['y'],
    initializers: {
      ...quantizers,
      w: codes([4, 4, 3, 3]),
      sw: scales,
      ...(biasScales && { b: constant('int32', [4], [4000, -3000, 0, 2000]), sb: biasScales }),
    },
    nodes: [
      ...input,
      node('DequantizeLinear', ['w', 'sw', 'zw'], ['wd'], { axis }),
      ...bias,
      node('Conv', ['xd', 'wd', ...(biasScales ? ['bd'] : [])], ['h']),
      ...result,
    ],
  });
}

const product = [0.01, 0.02, 0.04, 0.08].map((scale) => Math.fround(Math.fround(scale) / 64));

describe('weight-axis', () => {
  it('Conv: scales along the input channels are read as those of the output channels', async () => {
    expect(findings(conv(0))).toEqual([]);
    expect(await agreement(conv(0))).toBeGreaterThan(40);
    expect(findings(conv(1))).toEqual([
      "weight-axis n_h: its 4 scales lie along axis 1, and onnxruntime's integer kernel of Conv reads them along axis 0, its output " +
        'channels; quantize the weight along axis 0, or leave the bias of the layer float',
    ]);
    expect(await agreement(conv(1))).toBeLessThan(20);
    expect(findings(conv(-3))).toEqual(findings(conv(1)));
  });

  it.each([
    ['MatMul', {}, 1],
    ['Gemm', { transB: 0 }, 1],
    ['Gemm', { transB: 1 }, 0],
  ] as const)('%s %o: along axis %i', async (op, attributes, right) => {
    const layer = (axis: number): Model =>
      buildModel({
        inputs: { x: [5, 4] },
        outputs: ['y'],
        initializers: { ...quantizers, w: codes([4, 4]), sw: scales },
        nodes: [
          ...input,
          node('DequantizeLinear', ['w', 'sw', 'zw'], ['wd'], { axis }),
          node(op, ['xd', 'wd'], ['h'], attributes),
          ...result,
        ],
      });
    expect(findings(layer(right))).toEqual([]);
    expect(findings(layer(1 - right))[0]).toMatch(/^weight-axis n_h: .* reads them along axis [01]/);
    const small: Feeds = { x: { type: 'float32', dims: [5, 4], data: x['x']!.data.slice(0, 20) as Float32Array } };
    const [said, ran] = [await run(layer(1 - right), small, { simulate: true }), await run(layer(1 - right), small)];
    expect(sqnr(said.outputs['y']!, ran.outputs['y']!)).toBeLessThan(20);
  });

  it('says nothing where no integer kernel runs: a float bias, a result that is not quantized', () => {
    const model = conv(1);
    const layer = model.graph.values.get('h')!.producer!;
    layer.setInput(2, model.graph.addValue('given'));
    expect(findings(model)).toEqual([]);
  });
});

describe('bias-scale', () => {
  it('one that is input × weight is right, also when it was computed otherwise', () => {
    expect(findings(conv(0, f32([4], product)))).toEqual([]);
    const near = product.map((scale) => scale * (1 + 1e-6));
    expect(findings(conv(0, f32([4], near)))).toEqual([]);
  });

  it('another one is found, and onnxruntime leaves such a layer float; a bias of 0 has any scale', async () => {
    expect((await run(conv(0, f32([4], product)), x)).types).toContain('QLinearConv');
    const wrong = product.map((scale, i) => (i < 2 ? scale : scale * 2));
    expect(findings(conv(0, f32([4], wrong)))).toEqual([
      'bias-scale n_h: its scale of channel 3 is 0.0024999999441206455, not input scale × weight scale (0.0012499999720603228), at ' +
        'which integer kernels add it; quantize the bias at that scale, as qdq does, or leave it float',
    ]);
    expect((await run(conv(0, f32([4], wrong)), x)).types).not.toContain('QLinearConv');
    expect(findings(conv(0, scalar('float32', 0.001)))[0]).toMatch(/^bias-scale n_h: its scale of channel 0 is 0.001/);
  });

  it('one bias of two layers whose inputs have other scales', () => {
    const model = buildModel({
      inputs: { x: [1, 4, 5, 5] },
      outputs: ['y'],
      initializers: {
        ...quantizers,
        w: codes([4, 4, 1, 1]),
        sw: scales,
        b: constant('int32', [4], [4000, -3000, 10, 2000]),
        sb: f32([4], product),
      },
      nodes: [
        ...input,
        node('DequantizeLinear', ['w', 'sw', 'zw'], ['wd'], { axis: 0 }),
        node('DequantizeLinear', ['b', 'sb'], ['bd'], { axis: 0 }),
        node('Conv', ['xd', 'wd', 'bd'], ['f']),
        node('QuantizeLinear', ['f', 'sy', 'zx'], ['fq']),
        node('DequantizeLinear', ['fq', 'sy', 'zx'], ['fd']),
        node('Conv', ['fd', 'wd', 'bd'], ['h']),
        ...result,
      ],
    });
    const [only, ...rest] = findings(model);
    expect(rest).toEqual([]);
    expect(only).toMatch(/^bias-scale n_h: .*; 'n_f' and 'n_h' share it; give each layer a bias of its own/);
  });
});

/** A weight axis that integer kernels read otherwise is found behind a pair too, as QAT models have it, without any declared shapes. */
describe('weight-axis behind a pair', () => {
  it.each([
    [0, 0],
    [1, 1],
  ])('scales along axis %d: %d findings', (axis, count) => {
    const network = new Network();
    const x = network.act('x', 0.03);
    const w = weights([4, 4, 3, 3], axis);
    network.constant('w', w);
    const y = network.add('Conv', [x, network.pair('w', { scale: scalesOf(w, axis), axis })], 'y');
    const out = network.act(network.add('Relu', [y], 'r'), 0.02, 'positive');
    const { model } = network.done([1, 4, 8, 8], out, [1, 4, 6, 6]);
    expect(lint(model, ortCpuX64Avx2).filter(({ rule }) => rule === 'weight-axis')).toHaveLength(count);
  });
});
