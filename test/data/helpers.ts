/** What the tests of the data room share: temporary folders, noise images, hand-made npy and zip files. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, expect } from 'vitest';
import { QdqError } from '../../src/errors/qdq-error.ts';
import type { DataTypeName } from '../../src/onnx/data-types.ts';
import type { Pixels } from '../../src/data/resample-image.ts';
import type { Batch, Dataset, InputInfo, Sample, Selection } from '../../src/data/sample.ts';

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'qdq-data-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function input(name: string, dims: InputInfo['dims'], type: DataTypeName = 'float32'): InputInfo {
  return { name, type, dims };
}

/** A fixed pseudo-random RGB image. */
export function noise(width: number, height: number, seed = 0): Pixels {
  const data = Uint8Array.from(
    { length: width * height * 3 },
    (_, i) => (((i + seed) * 2654435761) % 2 ** 32) / 2 ** 24,
  );
  return { width, height, channels: 3, data };
}

export function png({ width, height, channels, data }: Pixels): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: channels as 3 } })
    .png()
    .toBuffer();
}

/** An .npy file written from the format's description. */
export function npyFile(descr: string, shape: readonly number[], data: ArrayBufferView, version = 1): Buffer {
  const tuple = `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`;
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`.padEnd(117) + '\n';
  const start = Buffer.alloc(version === 1 ? 10 : 12);
  start.write('\x93NUMPY', 'latin1');
  start[6] = version;
  if (version === 1) start.writeUInt16LE(text.length, 8);
  else start.writeUInt32LE(text.length, 8);
  return Buffer.concat([start, Buffer.from(text), new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
}

export interface ZipOptions {
  readonly deflate?: boolean;
  readonly zip64?: boolean;
  /** Overrides of the central directory: method, flags. */
  readonly method?: number;
  readonly flags?: number;
}

/** A zip archive written from the format's description. */
export function zipFile(files: Readonly<Record<string, Uint8Array>>, options: ZipOptions = {}): Buffer {
  const parts: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const body = options.deflate ? deflateRawSync(content) : Buffer.from(content);
    const method = options.method ?? (options.deflate ? 8 : 0);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    const extra = Buffer.alloc(options.zip64 ? 28 : 0);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(options.flags ?? 0, 8);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(crc32(content), 16);
    entry.writeUInt32LE(options.zip64 ? 0xffffffff : body.length, 20);
    entry.writeUInt32LE(options.zip64 ? 0xffffffff : content.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt16LE(extra.length, 30);
    entry.writeUInt32LE(options.zip64 ? 0xffffffff : offset, 42);
    if (options.zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      [content.length, body.length, offset].forEach((value, i) => extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i));
    }
    parts.push(local, Buffer.from(name), body);
    central.push(entry, Buffer.from(name), extra);
    offset += 30 + name.length + body.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  const count = Object.keys(files).length;
  end.writeUInt16LE(options.zip64 ? 0xffff : count, 10);
  end.writeUInt32LE(options.zip64 ? 0xffffffff : directory.length, 12);
  end.writeUInt32LE(options.zip64 ? 0xffffffff : offset, 16);
  if (!options.zip64) return Buffer.concat([...parts, directory, end]);
  const end64 = Buffer.alloc(56 + 20);
  end64.writeUInt32LE(0x06064b50, 0);
  [count, directory.length, offset].forEach((value, i) => end64.writeBigUInt64LE(BigInt(value), 32 + 8 * i));
  end64.writeUInt32LE(0x07064b50, 56);
  end64.writeBigUInt64LE(BigInt(offset + directory.length), 64);
  return Buffer.concat([...parts, directory, end64, end]);
}

export async function readAll(dataset: Dataset, selection: Selection = { from: 0 }): Promise<Sample[]> {
  const samples: Sample[] = [];
  for await (const sample of dataset.samples(selection)) samples.push(sample);
  return samples;
}

export async function drain(batches: AsyncIterable<Batch>): Promise<Batch[]> {
  const all: Batch[] = [];
  for await (const batch of batches) all.push(batch);
  return all;
}

/** The QdqError that `work` fails with. */
export async function failure(work: Promise<unknown> | (() => unknown)): Promise<QdqError> {
  const error = await (async () => (typeof work === 'function' ? work() : work))().then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(QdqError);
  return error as QdqError;
}
