import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { externalReference } from '../../src/onnx/external.ts';
import { FileRange } from '../../src/onnx/file.ts';
import type { TensorProto } from '../../src/onnx/messages.ts';
import { Tensor } from '../../src/onnx/tensor.ts';
import { qdqError, temporaryFolder } from './wire.ts';

function external(entries: Record<string, string>): TensorProto {
  return {
    name: 'w',
    dims: [2],
    dataType: 1,
    dataLocation: 1,
    externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
  };
}

/** A folder with w.bin: eight bytes of junk, then 1 and 2 as float32. */
function folderWithData(): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'w.bin'), Buffer.concat([Buffer.alloc(8, 9), Buffer.from(Float32Array.of(1, 2).buffer)]));
  return folder;
}

describe('external data', () => {
  it('is a range of its file, read in place', () => {
    const folder = folderWithData();
    mkdirSync(join(folder, 'sub'));
    linkSync(join(folder, 'w.bin'), join(folder, 'sub', 'w.bin'));
    for (const location of ['w.bin', './w.bin', 'sub/w.bin', 'sub/../w.bin']) {
      const tensor = Tensor.fromProto(external({ location, offset: '8', length: '8' }), folder);
      expect(tensor.payload()).toBeInstanceOf(FileRange);
      expect(tensor.payload()).toMatchObject({ offset: 8, byteLength: 8 });
      expect(tensor.data()).toEqual(Float32Array.of(1, 2));
    }
  });

  it('without a length is as long as the tensor', () => {
    const data = Tensor.fromProto(external({ location: 'w.bin' }), folderWithData()).data();
    expect(new Uint8Array(data.buffer)).toEqual(new Uint8Array(8).fill(9));
  });

  it('keeps its entries', () => {
    const proto = external({ location: 'w.bin', offset: '8', length: '8', checksum: 'abc', other: 'x' });
    expect(externalReference(proto)).toEqual({ location: 'w.bin', offset: 8, length: 8, checksum: 'abc' });
    expect(Tensor.fromProto(proto, '.').toProto()).toBe(proto);
  });

  it.each<[string, Record<string, string>]>([
    ['ONNX_EXTERNAL_ENTRY', {}],
    ['ONNX_EXTERNAL_ENTRY', { location: '' }],
    ['ONNX_EXTERNAL_ENTRY', { location: 'w.bin', offset: '-1' }],
    ['ONNX_EXTERNAL_ENTRY', { location: 'w.bin', length: '8.5' }],
    ['ONNX_EXTERNAL_ENTRY', { location: 'w.bin', offset: '99999999999999999999' }],
    ['ONNX_EXTERNAL_ESCAPES', { location: '/etc/hostname' }],
    ['ONNX_EXTERNAL_ESCAPES', { location: 'C:\\w.bin' }],
    ['ONNX_EXTERNAL_ESCAPES', { location: '../w.bin' }],
    ['ONNX_EXTERNAL_ESCAPES', { location: 'sub/../../w.bin' }],
    ['ONNX_EXTERNAL_ESCAPES', { location: '.' }],
    ['ONNX_EXTERNAL_ESCAPES', { location: 'away/secret' }],
    ['ONNX_EXTERNAL_SYMLINK', { location: 'link.bin' }],
    ['ONNX_EXTERNAL_MISSING', { location: 'none.bin' }],
    ['ONNX_EXTERNAL_MISSING', { location: 'none/w.bin' }],
    ['ONNX_EXTERNAL_BEYOND', { location: 'w.bin', offset: '9', length: '8' }],
    ['ONNX_EXTERNAL_BEYOND', { location: 'w.bin', offset: '9' }],
    ['ONNX_TENSOR_SIZE', { location: 'w.bin', length: '4' }],
  ])('%s: %j', (code, entries) => {
    const folder = folderWithData();
    const elsewhere = temporaryFolder();
    writeFileSync(join(elsewhere, 'secret'), 'secret bytes');
    symlinkSync(elsewhere, join(folder, 'away'));
    symlinkSync(join(folder, 'w.bin'), join(folder, 'link.bin'));
    const error = qdqError(() => Tensor.fromProto(external(entries), folder).data());
    expect(error.code).toBe(code);
    expect(error.message).toContain("tensor 'w'");
  });
});
