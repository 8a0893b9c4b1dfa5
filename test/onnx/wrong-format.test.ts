import { describe, expect, it } from 'vitest';
import { decodeModel } from '../../src/onnx/codec.ts';
import { message, qdqError } from './wire.ts';

const text = (value: string) => new TextEncoder().encode(value);
const latin1 = (value: string) => Uint8Array.from(Buffer.from(value, 'latin1'));
const header = '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';

describe('files that are not ONNX models', () => {
  it.each([
    ['empty', new Uint8Array()],
    ['git-lfs', text('version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n')],
    ['.ort', latin1('\x24\x00\x00\x00ORTM\x00\x00\x00\x00')],
    ['TensorFlow Lite', latin1('\x1c\x00\x00\x00TFL3\x14\x00')],
    ['ZIP', latin1('PK\x03\x04\x00\x00\x08\x08archive/data.pkl')],
    ['pickle', latin1('\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.')],
    ['pickle', latin1('\x80\x04\x95\x10\x00\x00\x00')],
    ['safetensors', Uint8Array.from([header.length, 0, 0, 0, 0, 0, 0, 0, ...text(header), 0, 0, 0, 0])],
    ['GGUF', latin1('GGUF\x03\x00\x00\x00')],
    ['HDF5', latin1('\x89HDF\r\n\x1a\n')],
    ['NumPy', latin1("\x93NUMPY\x01\x00v\x00{'descr'")],
    ['gzip', latin1('\x1f\x8b\x08\x00')],
    ['HTML', text('\n<!DOCTYPE html>\n<html lang="en"><title>404</title>')],
    ['XML', text('<?xml version="1.0"?>\n<net name="m" version="11">')],
    ['JSON', text('{"error": "Not found"}')],
    ['text file', text('ir_version: 8\ngraph {\n  name: "ümlaut"\n}\n')],
  ])('are named: %s', (name, bytes) => {
    const error = qdqError(() => decodeModel(bytes, 'model.onnx'));
    expect(error.code).toBe('ONNX_WRONG_FORMAT');
    expect(error.message).toMatch(/^model\.onnx: not an ONNX model: /);
    expect(error.message).toContain(name);
    expect(error.hint).toBeTruthy();
  });

  it('are called damaged, or without a graph, when they look like nothing known', () => {
    expect(qdqError(() => decodeModel(new Uint8Array(12).fill(0xff), 'x')).code).toBe('ONNX_MALFORMED');
    const tensor = message({ id: 1, varint: 2 }, { id: 2, varint: 1 }, { id: 9, bytes: new Uint8Array(8) });
    expect(qdqError(() => decodeModel(tensor, 'input_0.pb')).code).toBe('ONNX_NO_GRAPH');
  });
});
