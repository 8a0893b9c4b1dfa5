/** The WebAssembly packer gives, bit for bit, what the scalar functions give, in whatever pieces it is read. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toBytes } from '../../../src/onnx/bytes.ts';
import { packCodes, quantizeBlocks, transpose, type BlockBits } from '../../../src/quantized/weight-only/blocks.ts';
import { quantizeBlocksHqq } from '../../../src/quantized/weight-only/hqq.ts';
import { packBlocks, type PackedBlocks } from '../../../src/quantized/weight-only/packer.ts';

const shapes = fc.record({
  rows: fc.integer({ min: 1, max: 13 }),
  cols: fc.integer({ min: 1, max: 150 }),
  blockSize: fc.constantFrom(16, 32, 64, 128),
  bits: fc.constantFrom<BlockBits>(2, 4, 8),
  method: fc.constantFrom('rtn' as const, 'symmetric' as const, 'hqq' as const),
  layout: fc.constantFrom('rows' as const, 'columns' as const),
  seed: fc.integer(),
  // Tiny and huge weights too: scales below and near the normal numbers.
  exponent: fc.constantFrom(0, -30, -140, 100),
});

type Shape = typeof shapes extends fc.Arbitrary<infer T> ? T : never;

function weightsOf({ rows, cols, seed, exponent }: Shape): Float32Array {
  let state = (seed >>> 0) % 2147483647 || 1;
  return Float32Array.from({ length: rows * cols }, () => {
    state = (state * 48271) % 2147483647;
    // Sixteenths: many quotients lie halfway between two codes.
    return (Math.round((state / 2147483647 - 0.4) * 64) / 16) * 2 ** exponent;
  });
}

const bytesOf = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer);

function scalar(weights: Float32Array, { rows, cols, blockSize, bits, method }: Shape, padded: boolean) {
  const { codes, scales, zeroPoints } =
    method === 'hqq'
      ? quantizeBlocksHqq(weights, rows, cols, blockSize, bits)
      : quantizeBlocks(weights, rows, cols, blockSize, bits, method === 'symmetric');
  const stride = codes.length / rows;
  const kept = padded
    ? codes
    : Uint8Array.from({ length: rows * cols }, (_, i) => codes[Math.floor(i / cols) * stride + (i % cols)]!);
  return {
    codes: packCodes(kept, rows, bits),
    scales: bytesOf(scales),
    zeroPoints: zeroPoints && packCodes(zeroPoints, rows, bits),
  };
}

/** The shape as the packer takes it. */
const request = ({ method, ...shape }: Shape) => ({
  ...shape,
  symmetric: method === 'symmetric',
  hqq: method === 'hqq',
});

const all = ({ codes, scales, zeroPoints }: PackedBlocks) => ({
  codes: toBytes(codes),
  scales: toBytes(scales),
  zeroPoints: zeroPoints && toBytes(zeroPoints),
});

describe('packBlocks', () => {
  it('equals quantizeBlocks and packCodes', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const weights = weightsOf(shape);
        const { layout, rows, cols } = shape;
        const padded = layout === 'columns' || (cols * shape.bits) % 8 !== 0;
        const stored = layout === 'rows' ? weights : transpose(weights, rows, cols);
        const packed = packBlocks({ ...request(shape), weights: bytesOf(stored), padded });
        expect(all(packed)).toEqual(scalar(weights, shape, padded));
      }),
      { numRuns: 300 },
    );
  });

  it('equals quantizeBlocksHqq where an outlier is cut off, and for weights without any order', () => {
    const weights = Float32Array.from({ length: 8 * 256 }, (_, i) => Math.sin(i * i) * (i % 97 === 0 ? 1e8 : 1));
    for (const bits of [2, 4, 8] as const) {
      const shape = {
        rows: 8,
        cols: 256,
        blockSize: 64,
        bits,
        method: 'hqq',
        layout: 'rows',
        seed: 0,
        exponent: 0,
      } as const;
      const packed = packBlocks({ ...request(shape), weights: bytesOf(weights), padded: true });
      expect(all(packed)).toEqual(scalar(weights, shape, true));
      expect(all(packed)).not.toEqual(scalar(weights, { ...shape, method: 'rtn' }, true));
    }
  });

  it('makes large tensors in panels, read in any order and pieces, of several tensors in turn', () => {
    const shape: Shape = {
      ...{ rows: 9000, cols: 1024, blockSize: 128, bits: 4, method: 'rtn' },
      ...{ layout: 'columns', seed: 7, exponent: 0 },
    };
    const weights = weightsOf(shape);
    const stored = bytesOf(transpose(weights, shape.rows, shape.cols));
    const expected = scalar(weights, shape, true);
    const [first, second] = [
      packBlocks({ ...request(shape), weights: stored, padded: true }),
      packBlocks({ ...request(shape), weights: stored, padded: true }),
    ];
    expect(Buffer.compare(toBytes(first.scales), expected.scales)).toBe(0);
    const codes = new Uint8Array(first.codes.byteLength);
    const piece = 1_000_003;
    for (let at = codes.length; at > 0; at -= piece) {
      const from = Math.max(0, at - piece);
      first.codes.readInto!(from, codes.subarray(from, at));
      second.codes.read(from, 10);
    }
    expect(Buffer.compare(codes, expected.codes)).toBe(0);
    expect(Buffer.compare(toBytes(second.zeroPoints!), expected.zeroPoints!)).toBe(0);
    expect(Buffer.compare(toBytes(second.scales), expected.scales)).toBe(0);
  }, 60_000);
});
