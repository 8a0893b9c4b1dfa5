/** A single file beyond onnxruntime's limit of 2 GiB calibrates, in little memory: through a stub that points into the file. */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { serializeModel } from '../../src/backends/serialized-model.ts';
import { calibrate } from '../../src/calibrate/calibrate.ts';
import { rangesOf } from '../../src/calibrate/state.ts';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import { encodeModel, loadModel } from '../../src/onnx/model-file.ts';
import { buildProto, f32, node } from '../support/build.ts';
import { datasetOf, sha } from './samples.ts';

const folder = mkdtempSync(join(tmpdir(), 'qdq-big-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const width = 4;
const rows = 145_000_000;

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
}

/** A field of wire type 2: its tag and length. */
const head = (field: number, length: number): number[] => [...varint(field * 8 + 2), ...varint(length)];

/**
 * A file with a hole where the content of `table` is, all zeros but for its last row. A message may come in parts that are put
 * together again: the graph is written with a small table first, then a second part of it with the large one.
 */
function writeBigModel(path: string): void {
  const small = buildProto({
    inputs: { ids: { type: 'int64', dims: ['n'] } },
    initializers: { small: f32([1], [0]) },
    nodes: [node('Gather', ['table', 'ids'], ['rows']), node('Neg', ['rows'], ['y'])],
    outputs: { y: ['n', width] },
  });
  const bytes = 4 * rows * width;
  const dims = [rows, width].flatMap((dim) => [8, ...varint(dim)]);
  const tensor = [...dims, 16, 1, ...head(8, 5), ...Buffer.from('table'), ...head(9, bytes)];
  const initializer = [...head(5, tensor.length + bytes), ...tensor];
  const graph = [...head(7, initializer.length + bytes), ...initializer];
  const prefix = Buffer.concat([encodeModel(small), Buffer.from(graph)]);
  const file = openSync(path, 'w');
  try {
    writeSync(file, prefix);
    ftruncateSync(file, prefix.length + bytes);
    const last = Float32Array.of(1, -2, 3, -4);
    writeSync(file, Buffer.from(last.buffer), 0, 4 * width, prefix.length + bytes - 4 * width);
  } finally {
    closeSync(file);
  }
}

describe('a model of one file beyond 2 GiB', () => {
  it('calibrates', async () => {
    const path = join(folder, 'big.onnx');
    writeBigModel(path);
    expect(statSync(path).size).toBeGreaterThan(2 ** 31);
    const { proto, dir } = loadModel(path);
    const model = modelFromProto(proto, dir);
    expect(serializeModel(model, 'big').bytes.length).toBeLessThan(10_000);
    const samples = [0, 5, rows - 1].map((id) => ({
      id: String(id),
      inputs: { ids: { type: 'int64' as const, dims: [1], data: BigInt64Array.of(BigInt(id)) } },
    }));
    for (const observer of ['minmax', 'mse']) {
      const state = await calibrate(model, ['rows', 'y'], datasetOf(samples), [0, 1, 2], {
        modelSha256: sha,
        observer,
      });
      const { min, max } = rangesOf(state).get('y')!;
      expect(min).toBeLessThan(-2.5);
      expect(max).toBeGreaterThan(3.5);
    }
  });
});
