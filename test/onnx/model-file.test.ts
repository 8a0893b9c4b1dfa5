import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { FileRange } from '../../src/onnx/file.ts';
import { decodeModel, encodeModel, loadModel } from '../../src/onnx/model-file.ts';
import { Tensor } from '../../src/onnx/tensor.ts';
import { qdqError, temporaryFolder } from './wire.ts';

const weights = Float32Array.from({ length: 3000 }, (_, i) => i);

function modelFile(folder = temporaryFolder()): string {
  const path = join(folder, 'm.onnx');
  const small = Tensor.of('small', 'int64', [2], BigInt64Array.of(1n, -1n)).toProto();
  const large = Tensor.of('large', 'float32', [3000], weights).toProto();
  writeFileSync(path, encodeModel({ irVersion: 8, graph: { name: 'g', initializer: [small, large] } }));
  return path;
}

describe('loadModel', () => {
  it('reads the skeleton and leaves large tensors in the file', () => {
    const path = modelFile();
    const model = loadModel(path);
    const [small, large] = model.proto.graph!.initializer!;
    expect(small!.rawData).toBeInstanceOf(Uint8Array);
    expect(large!.rawData).toBeInstanceOf(FileRange);
    const { path: rangePath, offset, byteLength } = large!.rawData as FileRange;
    const bytes = readFileSync(path);
    expect(rangePath).toBe(path);
    expect(bytes.subarray(offset, offset + byteLength)).toEqual(Buffer.from(weights.buffer));
    expect(Tensor.fromProto(large!).data()).toEqual(weights);
    expect(model.byteLength).toBe(bytes.length);
    expect(model.sha256()).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(model.externalFiles()).toEqual([]);
  });

  it('reads through its window what it reads from memory, strings larger than the window included', () => {
    const path = join(temporaryFolder(), 'wide.onnx');
    const node = Array.from({ length: 6000 }, (_, i) => ({
      name: `node number ${i} ${'ü'.repeat(i % 90)}`,
      attribute: [{ name: 'axis', i: i - 3000, f: i / 4, ints: [i, -(2 ** 40)], s: new Uint8Array(i % 60).fill(i) }],
    }));
    node[4000]!.name = 'long name '.repeat(40_000);
    const bytes = encodeModel({ graph: { node, docString: 'x'.repeat(300_000) } });
    expect(bytes.length).toBeGreaterThan(5 * 256 * 1024);
    writeFileSync(path, bytes);
    const graph = loadModel(path).proto.graph!;
    expect(isDeepStrictEqual(graph, decodeModel(bytes).graph)).toBe(true);
    expect(isDeepStrictEqual(graph.node, node)).toBe(true);
  });

  it('lists the files of external data', () => {
    const folder = temporaryFolder();
    const tensor = (name: string, location: string) => ({
      name,
      dims: [1],
      dataType: 2,
      dataLocation: 1,
      externalData: [{ key: 'location', value: location }],
    });
    const body = { initializer: [tensor('c', 'b.bin')] };
    const graph = {
      initializer: [tensor('a', 'a.bin'), tensor('b', 'a.bin')],
      node: [{ opType: 'If', attribute: [{ name: 'then_branch', g: body }] }],
    };
    for (const name of ['a.bin', 'b.bin']) writeFileSync(join(folder, name), 'x');
    writeFileSync(join(folder, 'm.onnx'), encodeModel({ graph }));
    expect(loadModel(join(folder, 'm.onnx')).externalFiles()).toEqual([join(folder, 'a.bin'), join(folder, 'b.bin')]);
  });

  it('goes on after close, and after the file was replaced by a rename while it is open', () => {
    const path = modelFile();
    const model = loadModel(path);
    const large = Tensor.fromProto(model.proto.graph!.initializer![1]!);
    model.close();
    expect(large.data()).toEqual(weights);
    writeFileSync(`${path}.new`, 'other');
    renameSync(`${path}.new`, path);
    expect(large.data()).toEqual(weights);
    model.close();
    expect(qdqError(() => large.data()).code).toBe('ONNX_FILE_CHANGED');
  });

  it.each([
    ['truncated', (path: string) => truncateSync(path, 100)],
    ['grown', (path: string) => appendFileSync(path, 'x')],
  ])('notices a file that is %s while in use', (_what, change) => {
    const path = modelFile();
    const model = loadModel(path);
    change(path);
    const error = qdqError(() => Tensor.fromProto(model.proto.graph!.initializer![1]!).data());
    expect(error.code).toBe('ONNX_FILE_CHANGED');
    expect(error.message).toContain(path);
  });

  it('names what it cannot read', () => {
    const folder = temporaryFolder();
    const code = (path: string) => qdqError(() => loadModel(path)).code;
    expect(code(join(folder, 'none.onnx'))).toBe('ONNX_NOT_FOUND');
    expect(code(folder)).toBe('ONNX_NOT_A_FILE');
    expect(code('/dev/null')).toBe('ONNX_NOT_A_FILE');
    const path = modelFile(folder);
    // Node.js 24 no longer tells a path below a file from one that leads nowhere.
    expect(code(join(path, 'below-a-file.onnx'))).toMatch(/^ONNX_(UNREADABLE|NOT_FOUND)$/);
    truncateSync(path, 5000);
    expect(qdqError(() => loadModel(path)).message).toContain(`${path}: ends`);
    mkdirSync(join(folder, 'empty'));
    writeFileSync(join(folder, 'empty', 'e.onnx'), '');
    expect(code(join(folder, 'empty', 'e.onnx'))).toBe('ONNX_WRONG_FORMAT');
  });

  it('names the same file as each caller does', () => {
    const path = modelFile();
    const first = loadModel(path);
    const second = loadModel(join(path, '..', 'm.onnx'));
    expect([first.path, second.path]).toEqual([path, join(path, '..', 'm.onnx')]);
    expect(second.dir).toBe(first.dir);
  });
});
