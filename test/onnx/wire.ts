/** Hand-made wire bytes for tests, written with protobufjs's own Writer: independent of the codec under test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import protobuf from 'protobufjs/light.js';
import { onTestFinished } from 'vitest';
import { QdqError } from '../../src/errors/qdq-error.ts';

type Field =
  | { readonly id: number; readonly bytes: Uint8Array | string }
  | { readonly id: number; readonly varint: number }
  | { readonly id: number; readonly float: number }
  | { readonly id: number; readonly raw: Uint8Array };

/** A message with these fields in this order. `raw` is written as it is, tag included. */
export function message(...fields: Field[]): Uint8Array {
  const writer = new protobuf.Writer();
  for (const field of fields) {
    if ('bytes' in field) {
      const bytes = typeof field.bytes === 'string' ? new TextEncoder().encode(field.bytes) : field.bytes;
      writer.uint32((field.id << 3) | 2).bytes(bytes);
    } else if ('varint' in field) writer.uint32(field.id << 3).int64(field.varint);
    else if ('float' in field) writer.uint32((field.id << 3) | 5).float(field.float);
    else writer.raw(field.raw);
  }
  return Uint8Array.from(writer.finish());
}

/** A model whose graph is `graph`. */
export function modelBytes(graph: Uint8Array, ...rest: Field[]): Uint8Array {
  return message({ id: 1, varint: 8 }, { id: 7, bytes: graph }, ...rest);
}

/** A model with one initializer. */
export function modelWithTensor(tensor: Uint8Array): Uint8Array {
  return modelBytes(message({ id: 5, bytes: tensor }));
}

/** A folder of its own for the running test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'qdq-onnx-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The error that `action` throws; fails unless it is a QdqError. */
export function qdqError(action: () => unknown): QdqError {
  try {
    action();
  } catch (error) {
    if (error instanceof QdqError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
