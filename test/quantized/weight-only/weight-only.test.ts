/**
 * The layout of the block operators is checked against onnxruntime: at accuracy level 0 its kernels must give the float product
 * with the weights that our own dequantization gives, at level 4 differ by no more than 8-bit activations explain.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ortCpuX64 } from '../../../src/backends/targets/onnxruntime-cpu.ts';
import type { FormatFlags } from '../../../src/quantized/format.ts';
import { configureFormat } from '../../../src/quantized/formats/index.ts';
import {
  dequantizeBlocks,
  packCodes,
  quantizeBlocks,
  transpose,
  type BlockBits,
} from '../../../src/quantized/weight-only/blocks.ts';
import { quantizeBlocksHqq } from '../../../src/quantized/weight-only/hqq.ts';
import { buildModel, f32, node, type ModelSpec } from '../../support/build.ts';
import { feed, gaussian, make } from '../make-quantized.ts';
import { run, sqnr, type Feeds } from '../support.ts';

const bitsChoices: readonly BlockBits[] = [2, 4, 8];

describe('blocks', () => {
  const shapes = fc.record({
    rows: fc.integer({ min: 1, max: 4 }),
    cols: fc.integer({ min: 1, max: 70 }),
    block: fc.constantFrom(16, 32),
    bits: fc.constantFrom(...bitsChoices),
    symmetric: fc.boolean(),
    seed: fc.integer({ min: 1, max: 1e6 }),
  });

  it('are off by a whole step at most: the rounded zero point or the missing top code moves one end', () => {
    fc.assert(
      fc.property(shapes, ({ rows, cols, block, bits, symmetric, seed }) => {
        const weights = gaussian(rows * cols, seed);
        const blocks = quantizeBlocks(weights, rows, cols, block, bits, symmetric);
        const back = dequantizeBlocks(blocks, rows, cols, block, bits);
        const perRow = Math.ceil(cols / block);
        weights.forEach((weight, i) => {
          const step = Math.abs(blocks.scales[Math.floor(i / cols) * perRow + Math.floor((i % cols) / block)]!);
          // An asymmetric zero point is rounded, which moves one end by half a step more.
          expect(Math.abs(weight - back[i]!)).toBeLessThanOrEqual(step * 1.0001);
        });
      }),
      { numRuns: 50 },
    );
  });

  it('pad with what stands for 0, and keep an all-zero block exact', () => {
    const { codes, scales } = quantizeBlocks(new Float32Array(5), 1, 5, 16, 4, true);
    expect([...codes]).toEqual(Array.from({ length: 16 }, () => 8));
    expect([...scales]).toEqual([1]);
  });

  it('give the element of largest magnitude its exact value in symmetric blocks', () => {
    const weights = Float32Array.of(0.5, -0.25, 1.75, 0.125);
    const blocks = quantizeBlocks(weights, 1, 4, 16, 4, true);
    expect(dequantizeBlocks(blocks, 1, 4, 16, 4)[2]).toBe(1.75);
  });

  it('pack the first code into the lowest bits, each row from a byte of its own', () => {
    expect([...packCodes(Uint8Array.of(1, 2, 3, 4, 5, 6), 2, 4)]).toEqual([0x21, 0x03, 0x54, 0x06]);
    expect([...packCodes(Uint8Array.of(1, 2, 3, 0), 1, 2)]).toEqual([0b00111001]);
  });

  it('transpose in tiles as one by one', () => {
    const [rows, cols] = [37, 41];
    const values = gaussian(rows * cols);
    const turned = transpose(values, rows, cols);
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < cols; c++) expect(turned[c * rows + r]).toBe(values[r * cols + c]);
  });

  it('of HQQ have a p-norm no larger than those of rounding, and smaller on weights with outliers', () => {
    const weights = gaussian(64 * 64).map((x, i) => (i % 61 === 0 ? 6 * x : x));
    const norm = (blocks: ReturnType<typeof quantizeBlocks>): number =>
      dequantizeBlocks(blocks, 64, 64, 32, 4).reduce((sum, back, i) => sum + Math.abs(back - weights[i]!) ** 0.7, 0);
    const [hqq, rtn] = [quantizeBlocksHqq(weights, 64, 64, 32, 4), quantizeBlocks(weights, 64, 64, 32, 4, false)];
    expect(norm(hqq)).toBeLessThan(norm(rtn));
  });
});

/** x [3, K] · W [K, N]. */
function product(k: number, n: number): { spec: ModelSpec; weights: Float32Array } {
  const weights = gaussian(k * n, 3);
  const spec = {
    inputs: { x: [3, k] },
    outputs: { y: [3, n] },
    initializers: { w: f32([k, n], weights) },
    nodes: [node('MatMul', ['x', 'w'], ['y'])],
  };
  return { spec, weights };
}

describe('MatMulNBits', () => {
  const [k, n] = [80, 24];
  const feeds: Feeds = { x: feed([3, k]) };

  for (const bits of bitsChoices) {
    for (const symmetric of [true, false]) {
      it(`${bits} bits ${symmetric ? 'symmetric' : 'with zero points'}: the product with the dequantized weights`, async () => {
        const { spec, weights } = product(k, n);
        // 80 is no multiple of 32: the last block is padded.
        const blocks = quantizeBlocks(transpose(weights, k, n), n, k, 32, bits, symmetric);
        const back = transpose(dequantizeBlocks(blocks, n, k, 32, bits), n, k);
        const expected = await run(buildModel({ ...spec, initializers: { w: f32([k, n], back) } }), feeds);
        const float = buildModel(spec);
        const flags = { weightBits: bits, blockSize: 32, symmetric };
        const exact = await run((await make('weight-only', float, { ...flags, accuracyLevel: 0 })).model, feeds);
        expect(exact.types).toEqual(['MatMulNBits']);
        // The same sums in another order: float32 rounding alone, 80 terms of size 1.
        expect(sqnr(expected.outputs['y']!, exact.outputs['y']!)).toBeGreaterThan(110);
        const fast = await run((await make('weight-only', float, flags)).model, feeds);
        // Activations in 8 bits per block of 32: step = max / 127, noise step / √12 on a unit gaussian of max ≈ 2.3: 45 dB.
        expect(sqnr(expected.outputs['y']!, fast.outputs['y']!)).toBeGreaterThan(40);
      });
    }
  }

  it('takes a Gemm of either orientation, with its bias', async () => {
    for (const transB of [0, 1]) {
      const model = buildModel({
        inputs: { x: [3, k] },
        outputs: { y: [3, n] },
        initializers: { w: f32(transB ? [n, k] : [k, n], gaussian(k * n, 3)), c: f32([n], gaussian(n, 5)) },
        nodes: [node('Gemm', ['x', 'w', 'c'], ['y'], { transB })],
      });
      const { model: small } = await make('weight-only', model, { weightBits: 8 });
      const [expected, real] = [await run(model, feeds), await run(small, feeds)];
      expect(real.types).toEqual(['MatMulNBits']);
      // Weights and activations in 8 bits each.
      expect(sqnr(expected.outputs['y']!, real.outputs['y']!)).toBeGreaterThan(38);
    }
  });

  it('writes a weight that two nodes read once', async () => {
    const { spec } = product(k, n);
    const twice = buildModel({
      ...spec,
      outputs: ['y', 'z'],
      nodes: [node('MatMul', ['x', 'w'], ['y']), node('MatMul', ['x', 'w'], ['z'])],
    });
    const { model } = await make('weight-only', twice);
    expect([...model.graph.values.values()].filter((value) => value.isConstant)).toHaveLength(3);
  });

  it('takes the reduction in one block where it is shorter than the block', async () => {
    const { spec } = product(20, 8);
    const [first] = (await make('weight-only', buildModel(spec), { blockSize: 128 })).model.graph.nodes();
    expect(first!.int('block_size')).toBe(32);
  });

  it('loses less with HQQ than 2 dB to rounding in mean square, and runs', async () => {
    const { spec } = product(k, n);
    const float = buildModel(spec);
    const expected = await run(float, feeds);
    const [rtn, hqq] = await Promise.all(
      (['rtn', 'hqq'] as const).map(async (weightMethod) =>
        sqnr(
          expected.outputs['y']!,
          (await run((await make('weight-only', float, { weightMethod })).model, feeds)).outputs['y']!,
        ),
      ),
    );
    expect(hqq!).toBeGreaterThan(rtn! - 2);
  });
});

describe('GatherBlockQuantized', () => {
  for (const bits of bitsChoices) {
    for (const symmetric of [true, false]) {
      it(`${bits} bits ${symmetric ? 'symmetric' : 'with zero points'}: rows of the dequantized table`, async () => {
        const [rows, cols] = [40, 48];
        const table = gaussian(rows * cols, 3);
        const model = buildModel({
          inputs: { i: { type: 'int64', dims: [1, 4] } },
          outputs: { y: [1, 4, cols] },
          initializers: { w: f32([rows, cols], table) },
          nodes: [node('Gather', ['w', 'i'], ['y'])],
        });
        const { model: small } = await make('weight-only', model, { embeddingBits: bits, symmetric, blockSize: 32 });
        const back = dequantizeBlocks(quantizeBlocks(table, rows, cols, 32, bits, symmetric), rows, cols, 32, bits);
        const indices = [0, 39, 17, 5];
        const feeds: Feeds = { i: { type: 'int64', dims: [1, 4], data: BigInt64Array.from(indices.map(BigInt)) } };
        const { outputs, types } = await run(small, feeds);
        expect(types).toEqual(['GatherBlockQuantized']);
        const expected = indices.flatMap((index) => [...back.subarray(index * cols, (index + 1) * cols)]);
        expect([...(outputs['y']!.data as Float32Array)]).toEqual(expected);
      });
    }
  }
});

describe('an embedding', () => {
  const [rows, cols, width] = [64, 64, 32];
  const table = f32([rows, cols], gaussian(rows * cols, 5));
  const embedding = node('Gather', ['w', 'i'], ['e']);
  const spec = (head: Partial<ModelSpec>, nodes: ModelSpec['nodes']): ModelSpec => ({
    inputs: { i: { type: 'int64', dims: [1, 4] } },
    outputs: { y: [1, 4, rows] },
    ...head,
    initializers: { w: table, ...head.initializers },
    nodes: [embedding, ...nodes],
  });
  const feeds: Feeds = { i: { type: 'int64', dims: [1, 4], data: BigInt64Array.of(0n, 39n, 17n, 5n) } };
  const large = (model: {
    graph: {
      values: ReadonlyMap<string, { initializer?: { byteLength: number; dims: readonly number[] } | undefined }>;
    };
  }) =>
    [...model.graph.values.values()].flatMap(({ initializer }) =>
      initializer && initializer.byteLength >= (rows * cols) / 2 ? [initializer.dims] : [],
    );

  it('has 8 bits, whatever the weights have, unless fewer are asked for', async () => {
    const other = { initializers: { v: f32([cols, width], gaussian(cols * width, 6)) }, outputs: { y: [1, 4, width] } };
    const model = () => buildModel(spec(other, [node('MatMul', ['e', 'v'], ['y'])]));
    const dims = async (flags: FormatFlags) => large((await make('weight-only', model(), flags)).model);
    expect(await dims({ weightBits: 4 })).toEqual([[rows, cols]]);
    expect(await dims({ weightBits: 4, embeddingBits: 4 })).toEqual([[rows, cols / 2]]);
    expect(await dims({ weightBits: 8 })).toContainEqual([rows, cols]);
  });

  it.each([
    ['behind a Transpose', [node('Transpose', ['w'], ['t'], { perm: [1, 0] }), node('MatMul', ['e', 't'], ['y'])]],
    [
      'by Gemm',
      [
        node('Reshape', ['e', 'two'], ['r']),
        node('Gemm', ['r', 'w'], ['g'], { transB: 1 }),
        node('Reshape', ['g', 'three'], ['y']),
      ],
    ],
  ])('is stored once with the head that is tied to it: %s', async (_, nodes) => {
    const shapes = {
      two: { type: 'int64' as const, dims: [2], data: BigInt64Array.of(4n, BigInt(cols)) },
      three: { type: 'int64' as const, dims: [3], data: BigInt64Array.of(1n, 4n, BigInt(rows)) },
    };
    const model = buildModel(spec({ initializers: shapes }, nodes));
    const { model: small } = await make('weight-only', model, { weightBits: 4 });
    expect(large(small)).toEqual([[rows, cols]]);
    const [expected, real] = [await run(model, feeds), await run(small, feeds)];
    expect(real.types).toEqual(expect.arrayContaining(['GatherBlockQuantized', 'MatMulNBits']));
    // 8-bit codes of gaussians, twice: 40 dB each.
    expect(sqnr(expected.outputs['y']!, real.outputs['y']!)).toBeGreaterThan(34);
  });
});

describe('Conv', () => {
  const spec: ModelSpec = {
    inputs: { x: [1, 4, 5, 5] },
    outputs: ['y'],
    initializers: { w: f32([8, 4, 3, 3], gaussian(288)), v: f32([125, 16], gaussian(2000)) },
    nodes: [node('Conv', ['x', 'w'], ['y'])],
  };

  it('is left float unless it is named, and the error of a model without anything else says so', async () => {
    await expect(make('weight-only', buildModel(spec))).rejects.toThrow(
      expect.objectContaining({ code: 'PLAN_NOTHING', hint: expect.stringContaining('--include Conv') }),
    );
  });

  it('stores its weights in 8 bits where it is named', async () => {
    const model = buildModel(spec);
    const { model: small } = await make('weight-only', model, { include: ['Conv'] });
    const feeds: Feeds = { x: feed([1, 4, 5, 5]) };
    const [expected, real] = [await run(model, feeds), await run(small, feeds)];
    expect(real.types).toContain('DequantizeLinear');
    // Weight error alone: channels of 36 gaussians, step = max / 127.
    expect(sqnr(expected.outputs['y']!, real.outputs['y']!)).toBeGreaterThan(38);
  });
});

describe('what weight-only refuses', () => {
  const flags = (given: FormatFlags) => () => configureFormat('weight-only', ortCpuX64.scheme, given);

  it('has a code and a remedy', () => {
    expect(flags({ weightBits: 3 })).toThrow(expect.objectContaining({ code: 'FORMAT_BITS' }));
    expect(flags({ blockSize: 48 })).toThrow(expect.objectContaining({ code: 'FORMAT_BLOCK' }));
    expect(flags({ blockSize: 8 })).toThrow(expect.objectContaining({ code: 'FORMAT_BLOCK' }));
    expect(flags({ weightMethod: 'hqq', symmetric: true })).toThrow(expect.objectContaining({ code: 'FORMAT_HQQ' }));
    expect(flags({ activationType: 'uint8' })).toThrow(
      expect.objectContaining({ code: 'FORMAT_FLAG', message: expect.stringContaining('--activation-type') }),
    );
  });

  it('leaves what it cannot take float, for a reason', async () => {
    const model = buildModel({
      inputs: { x: [2, 3, 16], a: [16, 16] },
      outputs: ['y', 'z'],
      initializers: { w: f32([2, 16, 4]), v: f32([16, 4]) },
      nodes: [
        node('MatMul', ['x', 'w'], ['y']),
        node('MatMul', ['a', 'v'], ['z']),
        node('MatMul', ['a', 'a'], ['unused']),
        node('Relu', ['z'], ['r']),
      ],
    });
    expect((await make('weight-only', model)).float).toEqual([
      "MatMul: its weight 'w' has 3 dimensions; block kernels take matrices",
      'MatMul: its weight is computed at run time',
      'Relu: the weight-only format leaves Relu as it is',
    ]);
  });
});
