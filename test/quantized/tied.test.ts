/** One table for embeddings and head: its codes are in the file once, and the head still runs on them. */
import { describe, expect, it } from 'vitest';
import { ortCpuX64, ortCpuX64Avx2 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import { qnn } from '../../src/backends/targets/mobile.ts';
import type { Target } from '../../src/backends/targets/target.ts';
import { pairTensors } from '../../src/compare/layers/pairing.ts';
import type { Model } from '../../src/graph/model.ts';
import { lint } from '../../src/quantized/lint/index.ts';
import { writeProvenance } from '../../src/quantized/provenance.ts';
import { asLoaded } from '../../src/quantized/dequantize.ts';
import { buildModel, body, f32, node, type ModelSpec } from '../support/build.ts';
import { gaussian, make } from './make-quantized.ts';
import { run, sqnr, type Feeds } from './support.ts';

const [rows, cols] = [768, 48];
const table = gaussian(rows * cols);
const turn = (from: Float32Array): Float32Array =>
  Float32Array.from(from, (_, i) => from[(i % rows) * cols + Math.floor(i / rows)]!);

interface Choice {
  readonly values?: Float32Array;
  readonly head?: Float32Array;
  /** The head is a Gemm that reads the table itself. */
  readonly itself?: boolean;
  readonly bias?: boolean;
}

/** Two embeddings of one table, a layer, a head. */
function tied({ values = table, head = turn(values), itself = false, bias = false }: Choice = {}): ModelSpec {
  return {
    inputs: { i: { type: 'int64', dims: [64] }, j: { type: 'int64', dims: [64] } },
    outputs: ['y'],
    initializers: {
      t: f32([rows, cols], values),
      u: f32([cols, cols], gaussian(cols * cols, 3)),
      ...(itself ? {} : { w: f32([cols, rows], head) }),
      ...(bias ? { c: f32([rows], gaussian(rows, 5)) } : {}),
    },
    nodes: [
      node('Gather', ['t', 'i'], ['a']),
      node('Gather', ['t', 'j'], ['b']),
      node('Add', ['a', 'b'], ['e']),
      node('MatMul', ['e', 'u'], ['h']),
      itself || bias
        ? node('Gemm', ['h', itself ? 't' : 'w', ...(bias ? ['c'] : [])], ['y'], { transB: itself ? 1 : 0 })
        : node('MatMul', ['h', 'w'], ['y']),
    ],
  };
}

/** 64 rows from all of the table. */
const indices = (step: number) =>
  ({
    type: 'int64',
    dims: [64],
    data: BigInt64Array.from({ length: 64 }, (_, k) => BigInt((k * step) % rows)),
  }) as const;
const feeds: Feeds = { i: indices(35), j: indices(77) };
const forms = ['qdq', 'qoperator', 'dynamic'] as const;

/** Constants with as many elements as the table. */
const stored = (model: Model): number =>
  [...model.graph.graphs()]
    .flatMap((graph) => [...graph.values.values()])
    .filter(({ constant }) => constant?.size === rows * cols).length;

async function check(format: string, spec: ModelSpec, target: Target = ortCpuX64Avx2, flags = {}) {
  const model = buildModel(spec);
  const made = await make(format, model, { target, feeds, ...flags });
  const [expected, real] = [await run(model, feeds), await run(made.model, feeds)];
  return { ...made, types: real.types, sqnr: sqnr(expected.outputs['y']!, real.outputs['y']!) };
}

const apart: Target = { ...ortCpuX64Avx2, encoding: { ...ortCpuX64Avx2.encoding, tables: 'apart' } };
const kernels = /^(MatMulIntegerToFloat|DynamicQuantizeMatMul|QGemm|QLinearMatMul)$/;

describe.each(forms)('a tied table in %s', (format) => {
  it('is stored once, and the head is an integer kernel without a Transpose', async () => {
    for (const choice of [{}, { bias: true }, { itself: true }, { itself: true, bias: true }]) {
      const [once, twice] = [await check(format, tied(choice)), await check(format, tied(choice), apart)];
      expect([stored(once.model), stored(twice.model)]).toEqual([1, 2]);
      expect(once.types).not.toContain('Transpose');
      expect(once.types.filter((type) => kernels.test(type))).toHaveLength(2);
      expect(once.sqnr).toBeGreaterThan(twice.sqnr - 0.5);
      expect(once.sqnr).toBeGreaterThan(28);
      expect(lint(once.model, ortCpuX64Avx2)).toEqual([]);
    }
  });

  it('is dequantized within half a step of its row', async () => {
    const { model } = await make(format, buildModel(tied()), { target: ortCpuX64, feeds });
    const constants = [...model.graph.values.values()].flatMap(({ constant }) => constant ?? []);
    const codes = constants.find(({ dims }) => String(dims) === String([rows, cols]))!.data();
    const scales = constants
      .find(({ dims, type }) => String(dims) === String([rows]) && type.name === 'float32')!
      .floats();
    table.forEach((value, at) => {
      const scale = scales[Math.floor(at / cols)]!;
      expect(Math.abs(Number(codes[at]) * scale - value)).toBeLessThanOrEqual(0.5001 * scale);
    });
  });

  it('has one scale for all of it where weights have', async () => {
    const { model, sqnr: found } = await check(format, tied(), ortCpuX64Avx2, { perTensor: true });
    expect(stored(model)).toBe(1);
    expect(found).toBeGreaterThan(26);
  });

  it('may have unsigned codes', async () => {
    const target: Target = { ...ortCpuX64Avx2, scheme: { ...ortCpuX64.scheme, weightType: 'uint8' } };
    const { model, sqnr: found } = await check(format, tied(), target);
    expect(stored(model)).toBe(1);
    expect(found).toBeGreaterThan(28);
  });

  it.each([
    ['the head differs in one element', { head: turn(table).map((v, i) => (i === 500 ? v * 1.01 : v)) }],
    ['a column is far larger than the rest', { values: table.map((v, i) => (i % cols === 9 ? 30 * v : v)) }],
  ])('is stored twice when %s', async (_, choice) => {
    expect(stored((await check(format, tied(choice))).model)).toBe(2);
  });

  it('is read by heads in bodies, too', async () => {
    const branch = (name: string) => body({ name, nodes: [node('MatMul', ['h', 'w'], [name])], outputs: [name] });
    const spec = tied();
    const {
      model,
      types,
      sqnr: found,
    } = await check(format, {
      ...spec,
      initializers: { ...spec.initializers, k: { type: 'bool', dims: [], data: Uint8Array.of(1) } },
      inputs: { ...spec.inputs },
      nodes: [
        ...spec.nodes.slice(0, 4),
        node('ReduceMax', ['h'], ['m'], { keepdims: 0 }),
        node('Cast', ['m'], ['c'], { to: 9 }),
        node('If', ['c'], ['y'], { then_branch: branch('p'), else_branch: branch('q') }),
      ],
    });
    expect(stored(model)).toBe(1);
    expect(types).not.toContain('Transpose');
    expect(types.filter((type) => kernels.test(type))).toHaveLength(3);
    expect(found).toBeGreaterThan(28);
  });
});

describe('a tied table', () => {
  it('stays apart where the target has it so', async () => {
    const { model } = await make('qdq', buildModel(tied()), { target: qnn, feeds });
    expect(stored(model)).toBe(2);
  });

  it('is paired with the float head by those who compare', async () => {
    const float = buildModel(tied());
    const { model, origins } = await make('qdq', float, { target: ortCpuX64, feeds });
    writeProvenance(model, { source: 'hash', tensors: origins });
    for (const source of ['hash', 'another']) {
      const { pairs } = pairTensors({ plain: float, fused: float }, { plain: model, fused: model }, source);
      const head = pairs.find(({ origin }) => origin?.name === 'w')!;
      expect(head.value.constant!.dims).toEqual([cols, rows]);
      expect(head.quantizer).toMatchObject({ kind: 'weight', axis: 1 });
    }
    expect(stored(model)).toBe(1);
  });
});

describe('asLoaded', () => {
  it('computes Transposes of codes in a copy, and returns other models as they are', async () => {
    const [once, twice] = [ortCpuX64Avx2, apart].map(async (target) =>
      make('qdq', buildModel(tied()), { target, feeds }),
    );
    const [{ model }, other] = [await once!, await twice!];
    const loaded = asLoaded(model);
    expect([stored(loaded), stored(model)]).toEqual([2, 1]);
    const [a, b] = [await run(model, feeds), await run(loaded, feeds)];
    expect(b.outputs).toEqual(a.outputs);
    expect(asLoaded(other.model)).toBe(other.model);
  });
});
