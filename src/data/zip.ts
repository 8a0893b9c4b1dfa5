/**
 * Reading zip archives in place (PKWARE APPNOTE 6.3.10): the central directory once, then each entry by its range.
 * ZIP64 is read, because numpy and any archive of more than 65,535 files use it; stored entries are never copied.
 */
import { promisify } from 'node:util';
import { crc32, inflateRaw } from 'node:zlib';
import { dataErrors } from '../errors/data.ts';
import { inMemory, slice, type RandomAccess } from './random-access.ts';

const inflate = promisify(inflateRaw);

/** A file of an archive. */
export interface ZipEntry {
  readonly name: string;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  /** Of the local header, from the start of the file. */
  readonly headerOffset: number;
}

const signatures = {
  local: 0x04034b50,
  central: 0x02014b50,
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
};
const endLength = 22;
const maxComment = 0xffff;
/** What zlib gives back at once; larger members have to be stored. */
const maxInflated = 2 ** 31 - 1;

/** The files of an archive (no folders), in the order of its central directory. */
export async function readZipDirectory(file: RandomAccess): Promise<ZipEntry[]> {
  const { count, size, offset } = await findDirectory(file);
  const directory = await file.read(offset, size);
  const entries: ZipEntry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > size || directory.readUInt32LE(at) !== signatures.central)
      throw dataErrors.badZip(file.name, `entry ${i} is damaged`);
    const nameLength = directory.readUInt16LE(at + 28);
    const extraLength = directory.readUInt16LE(at + 30);
    const end = at + 46 + nameLength + extraLength + directory.readUInt16LE(at + 32);
    if (end > size) throw dataErrors.badZip(file.name, `entry ${i} is damaged`);
    const name = directory.toString('utf8', at + 46, at + 46 + nameLength);
    if (directory.readUInt16LE(at + 8) & 1) throw dataErrors.badZip(file.name, `entry '${name}' is encrypted`);
    const [size32, compressed32, offset32] = [24, 20, 42].map((field) => directory.readUInt32LE(at + field));
    const extra = directory.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength);
    const large = zip64Fields(extra);
    // The 64-bit fields are present only for the values that did not fit, in this order.
    const wide = (value: number): number => (value === 0xffffffff ? (large.shift() ?? value) : value);
    const entry: ZipEntry = {
      name,
      method: directory.readUInt16LE(at + 10),
      crc: directory.readUInt32LE(at + 16),
      size: wide(size32!),
      compressedSize: wide(compressed32!),
      headerOffset: wide(offset32!),
    };
    if (!name.endsWith('/')) entries.push(entry);
    at = end;
  }
  return entries;
}

/** The content of an entry: a range of the archive when stored, inflated into memory when deflated. */
export async function openEntry(file: RandomAccess, entry: ZipEntry): Promise<RandomAccess> {
  const label = `${file.name}/${entry.name}`;
  if (entry.method !== 0 && entry.method !== 8) throw dataErrors.zipMethod(label, entry.method);
  const header = await file.read(entry.headerOffset, 30);
  if (header.readUInt32LE(0) !== signatures.local)
    throw dataErrors.badZip(file.name, `entry '${entry.name}' is damaged`);
  const start = entry.headerOffset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  const raw = slice(file, label, start, entry.compressedSize);
  if (entry.method === 0) return raw;
  if (entry.size > maxInflated) throw dataErrors.zipTooLarge(label, entry.size);
  return inMemory(label, await inflateChecked(await raw.read(0, raw.size), entry, label));
}

/** The whole content of an entry, checked against its CRC. */
export async function readEntry(file: RandomAccess, entry: ZipEntry): Promise<Buffer> {
  const content = await openEntry(file, entry);
  const bytes = await content.read(0, content.size);
  if (entry.method === 0 && crc32(bytes) !== entry.crc)
    throw dataErrors.badZip(file.name, `entry '${entry.name}' is damaged (CRC)`);
  return bytes;
}

async function inflateChecked(compressed: Buffer, entry: ZipEntry, label: string): Promise<Buffer> {
  const bytes = await inflate(compressed, { maxOutputLength: Math.max(1, entry.size) }).catch((cause: unknown) => {
    throw dataErrors.badZip(label, 'its deflated data is damaged', cause);
  });
  if (bytes.length !== entry.size || crc32(bytes) !== entry.crc)
    throw dataErrors.badZip(label, 'its content is damaged (CRC)');
  return bytes;
}

async function findDirectory(file: RandomAccess): Promise<{ count: number; size: number; offset: number }> {
  const tailLength = Math.min(file.size, endLength + maxComment);
  const tailStart = file.size - tailLength;
  const tail = await file.read(tailStart, tailLength);
  for (let at = tailLength - endLength; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== signatures.end) continue;
    const end = {
      count: tail.readUInt16LE(at + 10),
      size: tail.readUInt32LE(at + 12),
      offset: tail.readUInt32LE(at + 16),
    };
    const locator = at - 20;
    if (locator < 0 || tail.readUInt32LE(locator) !== signatures.locator64) return end;
    const record = await file.read(Number(tail.readBigUInt64LE(locator + 8)), 56);
    if (record.readUInt32LE(0) !== signatures.end64)
      throw dataErrors.badZip(file.name, 'its ZIP64 directory is damaged');
    const [count, size, offset] = [32, 40, 48].map((field) => Number(record.readBigUInt64LE(field)));
    return { count: count!, size: size!, offset: offset! };
  }
  throw dataErrors.badZip(file.name, 'it has no central directory: not a zip file, or cut short');
}

function zip64Fields(extra: Buffer): number[] {
  for (let at = 0; at + 4 <= extra.length;) {
    const [id, length] = [extra.readUInt16LE(at), extra.readUInt16LE(at + 2)];
    const end = Math.min(at + 4 + length, extra.length);
    if (id === 1) {
      const values: number[] = [];
      for (let field = at + 4; field + 8 <= end; field += 8) values.push(Number(extra.readBigUInt64LE(field)));
      return values;
    }
    at = end;
  }
  return [];
}
