import * as fs from 'node:fs';
import { linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { onnx } from 'onnx-proto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { encodeModel, loadModel, saveModel, type SaveOptions } from '../../src/onnx/model-file.ts';
import type { ByteSource, ModelProto, TensorProto } from '../../src/onnx/messages.ts';
import { modelTensors } from '../../src/onnx/model-tensors.ts';
import { Tensor } from '../../src/onnx/tensor.ts';
import { qdqError, temporaryFolder } from './wire.ts';

vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>();
  return {
    ...real,
    writeSync: vi.fn(real.writeSync),
    renameSync: vi.fn(real.renameSync),
    openSync: vi.fn(real.openSync),
  };
});
afterEach(() => void vi.clearAllMocks());

const weights = Float32Array.from({ length: 3000 }, (_, i) => Math.sin(i));
const counts = BigInt64Array.from({ length: 1000 }, (_, i) => BigInt(i) ** 5n);
const small = Tensor.of('small', 'float32', [2], Float32Array.of(1, 2)).toProto();
const large = Tensor.of('large', 'float32', [60, 50], weights).toProto();

/** A model with tensors in every place: initializers, a Constant, the body of an If; typed fields too. */
function model(): ModelProto {
  const typed: TensorProto = onnx.TensorProto.decode(
    onnx.TensorProto.encode(
      onnx.TensorProto.fromObject({ name: 'typed', dims: [1000], dataType: 7, int64Data: Array.from(counts, String) }),
    ).finish(),
  ) as never;
  const object = encodeModel({
    irVersion: 10,
    graph: {
      name: 'g',
      initializer: [small, large, { name: 'text', dims: [1], dataType: 8, stringData: [new Uint8Array(2000)] }],
      node: [
        { opType: 'Constant', output: ['c'], attribute: [{ name: 'value', t: { ...large, name: 'constant' } }] },
        {
          opType: 'If',
          attribute: [{ name: 'then_branch', g: { name: 'body', initializer: [{ ...large, name: 'inner' }] } }],
        },
      ],
    },
    opsetImport: [{ version: 21 }],
  });
  const theirs = onnx.ModelProto.decode(object);
  theirs.graph!.initializer!.push(typed as never);
  return loadFrom(onnx.ModelProto.encode(theirs).finish(), temporaryFolder());
}

function loadFrom(bytes: Uint8Array, folder: string): ModelProto {
  writeFileSync(join(folder, 'in.onnx'), bytes);
  return loadModel(join(folder, 'in.onnx')).proto;
}

function contents(proto: ModelProto, folder: string): Record<string, unknown> {
  const tensors = [...modelTensors(proto)].map((each) => Tensor.fromProto(each.proto, folder));
  return Object.fromEntries(tensors.map((t) => [t.name, t.type.name === 'string' ? t.strings() : t.data()]));
}

const external = (proto: ModelProto) =>
  [...modelTensors(proto)].filter((t) => t.proto.dataLocation === 1).map((t) => t.proto.name);

/** A model saved with external data in a folder of its own. */
function externalModel(): string {
  const path = join(temporaryFolder(), 'ext.onnx');
  saveModel(model(), path, { externalData: 'always' });
  return path;
}

describe('saveModel', () => {
  it('writes an untouched model as it was, with progress', () => {
    const proto = model();
    const path = join(temporaryFolder(), 'out.onnx');
    const progress: number[] = [];
    const saved = saveModel(proto, path, { onProgress: (done, total) => progress.push(done / total) });
    const bytes = readFileSync(path);
    expect(bytes.equals(encodeModel(proto))).toBe(true);
    expect(saved).toEqual({ path, byteLength: bytes.length });
    expect(progress.at(-1)).toBe(1);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(readdirSync(dirname(path))).toEqual(['out.onnx']);
  });

  it('puts large initializers into an aligned data file, and nothing else', () => {
    const proto = model();
    const path = join(temporaryFolder(), 'out.onnx');
    const saved = saveModel(proto, path, { externalData: 'always' });
    expect(saved.dataPath).toBe(`${path}.data`);
    expect(saved.byteLength).toBe(readFileSync(path).length + readFileSync(`${path}.data`).length);
    const again = loadModel(path);
    expect(external(again.proto)).toEqual(['large', 'typed', 'inner']);
    expect(contents(again.proto, again.dir)).toEqual(contents(proto, dirname(path)));
    const theirs = onnx.ModelProto.decode(readFileSync(path)).graph!.initializer!;
    const entry = Object.fromEntries(theirs[3]!.externalData!.map(({ key, value }) => [key, value]));
    expect(entry).toEqual({ location: 'out.onnx.data', offset: '12288', length: '8000' });
    expect(theirs[3]!.int64Data).toEqual([]);
  });

  it('follows the threshold', () => {
    const path = join(temporaryFolder(), 'out.onnx');
    saveModel(model(), path, { externalData: 'always', threshold: 0 });
    expect(external(loadModel(path).proto)).toEqual(['small', 'large', 'typed', 'inner']);
    const one = join(temporaryFolder(), 'one.onnx');
    expect(saveModel(model(), one, { externalData: 'always', threshold: 10 ** 9 }).dataPath).toBeUndefined();
  });

  it('stays external by itself, and becomes one file when asked', () => {
    const source = loadModel(externalModel());
    const folder = temporaryFolder();
    expect(saveModel(source.proto, join(folder, 'a.onnx')).dataPath).toBe(join(folder, 'a.onnx.data'));
    expect(saveModel(source.proto, join(folder, 'b.onnx'), { externalData: 'never' }).dataPath).toBeUndefined();
    for (const name of ['a.onnx', 'b.onnx']) {
      const copy = loadModel(join(folder, name));
      expect(contents(copy.proto, copy.dir)).toEqual(contents(source.proto, source.dir));
    }
    expect(external(loadModel(join(folder, 'b.onnx')).proto)).toEqual([]);
  });

  it('keeps references when asked, beside the original only', () => {
    const path = externalModel();
    const source = loadModel(path);
    const beside = join(source.dir, 'copy.onnx');
    saveModel(source.proto, beside, { externalData: 'keep' });
    expect(readFileSync(beside).equals(readFileSync(path))).toBe(true);
    const away = () => saveModel(source.proto, join(temporaryFolder(), 'copy.onnx'), { externalData: 'keep' });
    expect(qdqError(away).code).toBe('ONNX_EXTERNAL_LEFT_BEHIND');
  });

  it('goes external by itself before protobuf ends', () => {
    const size = 2 ** 31 - 2 ** 26;
    const huge: ByteSource = {
      byteLength: size,
      read: () => {
        throw new Error('read');
      },
    };
    const proto: ModelProto = { graph: { initializer: [Tensor.lazy('huge', 'uint8', [size], huge).toProto()] } };
    const path = join(temporaryFolder(), 'out.onnx');
    expect(() => saveModel(proto, path)).toThrow('read');
    expect(vi.mocked(fs.openSync).mock.calls.map(([name]) => String(name))).toEqual([
      expect.stringContaining('out.onnx.data'),
    ]);
    expect(readdirSync(dirname(path))).toEqual([]);
    const larger: ModelProto = {
      graph: { initializer: [0, 1].map((i) => Tensor.lazy(`h${i}`, 'uint8', [size], huge).toProto()) },
    };
    expect(qdqError(() => saveModel(larger, path, { externalData: 'never' })).code).toBe('ONNX_TOO_LARGE');
  });
});

describe('inputs', () => {
  const refused = (proto: ModelProto, path: string, options?: SaveOptions) => {
    const before = readFileSync(path);
    const error = qdqError(() => saveModel(proto, path, options));
    expect(error.code).toBe('ONNX_OUTPUT_IS_INPUT');
    expect(readFileSync(path).equals(before)).toBe(true);
  };

  it('are never overwritten: the model, by any name', () => {
    const folder = temporaryFolder();
    const tiny = loadFrom(encodeModel({ graph: { name: 'g' } }), folder);
    const proto = loadFrom(encodeModel({ graph: { initializer: [large] } }), folder);
    linkSync(join(folder, 'in.onnx'), join(folder, 'hard.onnx'));
    symlinkSync(join(folder, 'in.onnx'), join(folder, 'soft.onnx'));
    for (const name of ['in.onnx', 'hard.onnx', 'soft.onnx']) {
      refused(proto, join(folder, name));
      refused({ ...proto }, join(folder, name));
      refused(tiny, join(folder, name));
    }
  });

  it('are never overwritten: external data, and what the caller names', () => {
    const path = externalModel();
    const source = loadModel(path);
    for (const externalData of ['auto', 'never', 'keep'] as const)
      refused(source.proto, `${path}.data`, { externalData });
    const data = join(source.dir, 'x.onnx.data');
    writeFileSync(data, 'samples');
    refused({ graph: {} }, data, { inputs: [data] });
    const asData = () => saveModel(source.proto, join(source.dir, 'x.onnx'), { inputs: [data] });
    expect(qdqError(asData).code).toBe('ONNX_OUTPUT_IS_INPUT');
    expect(readFileSync(data, 'utf8')).toBe('samples');
  });
});

describe('a failing file system', () => {
  const systemError = (code: string) =>
    Object.assign(new Error(`${code}: something, write`), { code, syscall: 'write' });

  it.each([
    ['ENOSPC', 'ONNX_DISK_FULL'],
    ['EDQUOT', 'ONNX_DISK_FULL'],
    ['EIO', 'ONNX_UNWRITABLE'],
  ])('leaves nothing behind and what was there untouched: %s', (code, expected) => {
    const path = join(temporaryFolder(), 'out.onnx');
    writeFileSync(path, 'old');
    const proto = model();
    for (const failing of [1, 2]) {
      vi.mocked(fs.writeSync).mockClear();
      const real = vi.mocked(fs.writeSync).getMockImplementation()!;
      vi.mocked(fs.writeSync).mockImplementation((...args) => {
        if (vi.mocked(fs.writeSync).mock.calls.length === failing) throw systemError(code);
        return real(...args);
      });
      const error = qdqError(() => saveModel(proto, path, { externalData: 'always' }));
      vi.mocked(fs.writeSync).mockImplementation(real);
      expect(error.code).toBe(expected);
      expect(error.message).toContain(failing === 1 ? 'out.onnx.data' : 'out.onnx');
      expect(readdirSync(dirname(path))).toEqual(['out.onnx']);
      expect(readFileSync(path, 'utf8')).toBe('old');
    }
  });

  it('finishes after short writes', () => {
    const real = vi.mocked(fs.writeSync).getMockImplementation()!;
    vi.mocked(fs.writeSync).mockImplementation(((fd: number, bytes: Uint8Array, at: number, length: number) =>
      real(fd, bytes as never, at as never, Math.min(length, 777) as never)) as never);
    const proto = model();
    const path = join(temporaryFolder(), 'out.onnx');
    saveModel(proto, path);
    vi.mocked(fs.writeSync).mockImplementation(real);
    expect(readFileSync(path).equals(encodeModel(proto))).toBe(true);
  });

  it('is reported when the name cannot be taken', () => {
    const path = join(temporaryFolder(), 'out.onnx');
    vi.mocked(fs.renameSync).mockImplementationOnce(() => {
      throw systemError('EACCES');
    });
    const error = qdqError(() => saveModel(model(), path));
    expect(error.code).toBe('ONNX_UNWRITABLE');
    expect(error.message).toContain('permission denied');
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  it('does not write into missing folders, over folders or devices', () => {
    const folder = temporaryFolder();
    const code = (path: string) => qdqError(() => saveModel({ graph: {} }, path)).code;
    expect(code(join(folder, 'none', 'out.onnx'))).toBe('ONNX_OUTPUT_FOLDER');
    mkdirSync(join(folder, 'dir.onnx'));
    expect(code(join(folder, 'dir.onnx'))).toBe('ONNX_OUTPUT_NOT_A_FILE');
    expect(code('/dev/full')).toBe('ONNX_OUTPUT_NOT_A_FILE');
    writeFileSync(join(folder, 'file'), '');
    expect(code(join(folder, 'file', 'out.onnx'))).toBe('ONNX_OUTPUT_FOLDER');
  });

  it('keeps an error of a lazy payload as it is', () => {
    const path = join(temporaryFolder(), 'out.onnx');
    const source: ByteSource = {
      byteLength: 9000,
      read: () => {
        throw new Error('mine');
      },
    };
    expect(() =>
      saveModel({ graph: { initializer: [Tensor.lazy('w', 'uint8', [9000], source).toProto()] } }, path),
    ).toThrow('mine');
    expect(readdirSync(dirname(path))).toEqual([]);
  });
});
