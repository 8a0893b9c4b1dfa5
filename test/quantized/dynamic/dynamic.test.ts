/** Each rule: the kernel that onnxruntime really runs, and an error within what 8 bits on either side explain. */
import { describe, expect, it } from 'vitest';
import { anyCpu, run, sqnr, type Feeds } from '../support.ts';
import { feed, gaussian, make } from '../make-quantized.ts';
import { buildModel, f32, node, type ModelSpec } from '../../support/build.ts';

const target = anyCpu;

async function check(spec: ModelSpec, feeds: Feeds, include?: string[], flags = {}) {
  const model = buildModel(spec);
  const made = await make('dynamic', model, { target, ...flags, ...(include ? { include } : {}) });
  const [expected, real] = [await run(model, feeds), await run(made.model, feeds)];
  const worst = Math.min(
    ...Object.keys(expected.outputs).map((name) => sqnr(expected.outputs[name]!, real.outputs[name]!)),
  );
  return { ...made, types: real.types, worst };
}

// u8 activations over ±3 deviations: step 6/255, 33 dB; s8 weights limited in pairs for CPUs without VNNI: about as much again.
const bound = 30;

describe('MatMul and Gemm', () => {
  const [k, n] = [64, 48];

  it('become one kernel each, with the activation quantized once', async () => {
    const { types, worst, model } = await check(
      {
        inputs: { x: [3, k] },
        outputs: ['y', 'z'],
        initializers: { w: f32([k, n], gaussian(k * n)), v: f32([k, n], gaussian(k * n, 2)) },
        nodes: [node('MatMul', ['x', 'w'], ['y']), node('MatMul', ['x', 'v'], ['z'])],
      },
      { x: feed([3, k]) },
    );
    expect(types.toSorted()).toEqual(['DynamicQuantizeLinear', 'MatMulIntegerToFloat', 'MatMulIntegerToFloat']);
    expect([...model.graph.nodes()].filter((each) => each.is('DynamicQuantizeLinear'))).toHaveLength(1);
    expect(worst).toBeGreaterThan(bound);
  });

  it('fuse to DynamicQuantizeMatMul when they alone read the activation, bias and all', async () => {
    for (const transB of [0, 1]) {
      const { types, worst } = await check(
        {
          inputs: { x: [3, k] },
          outputs: ['y'],
          initializers: { w: f32(transB ? [n, k] : [k, n], gaussian(k * n)), c: f32([n], gaussian(n, 2)) },
          nodes: [node('Gemm', ['x', 'w', 'c'], ['y'], { transB })],
        },
        { x: feed([3, k]) },
      );
      expect(types).toEqual(['DynamicQuantizeMatMul']);
      expect(worst).toBeGreaterThan(bound);
    }
  });

  it('take stacks of matrices with one scale', async () => {
    const { types, worst } = await check(
      {
        inputs: { x: [2, 3, 16] },
        outputs: ['y'],
        initializers: { w: f32([2, 16, 8], gaussian(256)) },
        nodes: [node('MatMul', ['x', 'w'], ['y'])],
      },
      { x: feed([2, 3, 16]) },
    );
    expect(types).toContain('DynamicQuantizeMatMul');
    expect(worst).toBeGreaterThan(25);
  });
});

describe('recurrence', () => {
  const [steps, batch, input, hidden] = [5, 2, 24, 32];
  for (const [direction, directions] of [
    ['forward', 1],
    ['bidirectional', 2],
  ] as const) {
    it.each([true, false])(`LSTM, ${direction}, a scale per channel: %s`, async (perChannel) => {
      const { types, worst, model } = await check(
        {
          inputs: { x: [steps, batch, input], h: [directions, batch, hidden] },
          outputs: ['y', 'yh', 'yc'],
          initializers: {
            w: f32(
              [directions, 4 * hidden, input],
              gaussian(directions * 4 * hidden * input).map((v) => v / 5),
            ),
            r: f32(
              [directions, 4 * hidden, hidden],
              gaussian(directions * 4 * hidden * hidden, 2).map((v) => v / 6),
            ),
            b: f32(
              [directions, 8 * hidden],
              gaussian(directions * 8 * hidden, 3).map((v) => v / 4),
            ),
          },
          nodes: [
            node('LSTM', ['x', 'w', 'r', 'b', '', 'h', 'h'], ['y', 'yh', 'yc'], { hidden_size: hidden, direction }),
          ],
        },
        { x: feed([steps, batch, input]), h: feed([directions, batch, hidden], 9) },
        undefined,
        { target: { ...target, scheme: { ...target.scheme, perChannel } } },
      );
      expect(types).toEqual(['DynamicQuantizeLSTM']);
      const scales = [...model.graph.values.values()].filter(({ name }) => name.endsWith('_scale'));
      const dims = perChannel ? [directions, 4 * hidden] : [directions];
      expect(scales.map((scale) => scale.constant!.dims)).toEqual([dims, dims]);
      // The state feeds back over 5 steps; gates saturate, which hides more than it adds.
      expect(worst).toBeGreaterThan(28);
    });
  }
});

it('a constant on the left is named as what it is', async () => {
  const spec: ModelSpec = {
    inputs: { x: [64, 3] },
    outputs: ['y'],
    initializers: { w: f32([8, 64]) },
    nodes: [node('MatMul', ['w', 'x'], ['y'])],
  };
  await expect(check(spec, { x: feed([64, 3]) })).rejects.toThrow(/its constant 'w' is the left operand/);
});

describe('GRU and RNN, opened up', () => {
  const [steps, batch, input, hidden] = [6, 2, 24, 32];
  for (const [op, gates, linear] of [
    ['GRU', 3, 0],
    ['GRU', 3, 1],
    ['RNN', 1, 0],
  ] as const) {
    it(`${op}${linear ? ', reset after the product' : ''}: every product in int8`, async () => {
      const { types, worst } = await check(
        {
          inputs: { x: [steps, batch, input] },
          outputs: ['y', 'yh'],
          initializers: {
            w: f32(
              [1, gates * hidden, input],
              gaussian(gates * hidden * input).map((v) => v / 5),
            ),
            r: f32(
              [1, gates * hidden, hidden],
              gaussian(gates * hidden * hidden, 2).map((v) => v / 6),
            ),
            b: f32(
              [1, 2 * gates * hidden],
              gaussian(2 * gates * hidden, 3).map((v) => v / 4),
            ),
          },
          nodes: [
            node(op, ['x', 'w', 'r', 'b'], ['y', 'yh'], {
              hidden_size: hidden,
              ...(op === 'GRU' ? { linear_before_reset: linear } : {}),
            }),
          ],
        },
        { x: feed([steps, batch, input]) },
        [op],
      );
      const products = types.filter((type) => type === 'MatMulIntegerToFloat' || type === 'DynamicQuantizeMatMul');
      expect(products).toHaveLength(op === 'GRU' && !linear ? 3 : 2);
      expect(types).not.toContain('MatMul');
      expect(worst).toBeGreaterThan(28);
    });
  }
});

describe('attention and embeddings', () => {
  it('Attention becomes QAttention', async () => {
    const [s, d] = [6, 32];
    const { types, worst } = await check(
      {
        inputs: { x: [1, s, d] },
        outputs: ['y'],
        domains: { 'com.microsoft': 1 },
        initializers: {
          w: f32(
            [d, 3 * d],
            gaussian(3 * d * d).map((v) => v / 6),
          ),
          b: f32([3 * d], gaussian(3 * d, 2)),
        },
        nodes: [node('Attention', ['x', 'w', 'b'], ['y'], { num_heads: 4 }, { domain: 'com.microsoft' })],
      },
      { x: feed([1, s, d]) },
    );
    expect(types.toSorted()).toEqual(['DynamicQuantizeLinear', 'QAttention']);
    expect(worst).toBeGreaterThan(bound);
  });

  it('Gather of a table reads s8 codes, with a scale per column', async () => {
    const [rows, cols] = [64, 32];
    // One column a hundred times larger: with one scale for all it would drown the rest.
    const table = gaussian(rows * cols).map((v, i) => (i % cols === 3 ? 100 * v : v));
    const { types, model } = await check(
      {
        inputs: { i: { type: 'int64', dims: [1, 'n'] } },
        outputs: ['y'],
        initializers: { w: f32([rows, cols], table) },
        nodes: [node('Gather', ['w', 'i'], ['y'])],
      },
      { i: { type: 'int64', dims: [1, 4], data: BigInt64Array.of(0n, 63n, 17n, 5n) } },
    );
    expect(types).toEqual(['Gather', 'DequantizeLinear']);
    const { outputs } = await run(model, {
      i: { type: 'int64', dims: [1, 1], data: BigInt64Array.of(17n) },
    });
    (outputs['y']!.data as Float32Array).forEach((value, c) => {
      const column = Array.from({ length: rows }, (_, r) => Math.abs(table[r * cols + c]!));
      // Half a step of the column's own scale; the avx2 range may lower a code of a pair, not without a layout.
      expect(Math.abs(value - table[17 * cols + c]!)).toBeLessThanOrEqual((Math.max(...column) / 64) * 0.51);
    });
  });
});

describe('Conv', () => {
  const spec: ModelSpec = {
    inputs: { x: [1, 4, 6, 6], a: [2, 16] },
    outputs: ['y', 'z'],
    initializers: {
      w: f32([8, 4, 3, 3], gaussian(288)),
      b: f32([8], gaussian(8, 2)),
      v: f32([16, 16], gaussian(256, 3)),
    },
    nodes: [node('Conv', ['x', 'w', 'b'], ['y'], { pads: [1, 1, 1, 1] }), node('MatMul', ['a', 'v'], ['z'])],
  };
  const feeds: Feeds = { x: feed([1, 4, 6, 6]), a: feed([2, 16]) };

  it('stays float unless it is named', async () => {
    const { float, types } = await check(spec, feeds);
    expect(float).toEqual([expect.stringMatching(/^Conv: onnxruntime's ConvInteger is slower/)]);
    expect(types).not.toContain('ConvInteger');
  });

  it('becomes ConvInteger where it is', async () => {
    const { types, worst } = await check(spec, feeds, ['Conv', 'MatMul']);
    expect(types).toContain('ConvInteger');
    expect(worst).toBeGreaterThan(bound);
  });
});
