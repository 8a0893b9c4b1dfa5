/** Random access to bytes, which are read where they lie: a file, a part of one, or memory. Offsets are numbers up to 2^53. */
import { open } from 'node:fs/promises';
import { dataErrors } from '../errors/data.ts';

/** Bytes that can be read anywhere. */
export interface RandomAccess {
  /** For error messages. */
  readonly name: string;
  readonly size: number;
  /** Exactly `length` bytes from `offset`; asking beyond the end is an error that names the file. */
  read(offset: number, length: number): Promise<Buffer>;
}

/** A file that is open. */
export interface OpenFile extends RandomAccess {
  close(): Promise<void>;
}

/** Opens a file for reading. @throws DATA_UNREADABLE, and of `read` DATA_TRUNCATED */
export async function openFile(path: string): Promise<OpenFile> {
  const handle = await open(path).catch((cause: unknown) => {
    throw dataErrors.unreadable(path, cause);
  });
  const { size } = await handle.stat();
  return {
    name: path,
    size,
    async read(offset, length) {
      if (offset + length > size) throw dataErrors.truncated(path, offset + length, size);
      const buffer = Buffer.allocUnsafeSlow(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await handle.read(buffer, filled, length - filled, offset + filled);
        if (bytesRead === 0) throw dataErrors.truncated(path, offset + length, offset + filled);
        filled += bytesRead;
      }
      return buffer;
    },
    close: () => handle.close(),
  };
}

/** The `size` bytes of `whole` from `start` on. */
export function slice(whole: RandomAccess, name: string, start: number, size: number): RandomAccess {
  return {
    name,
    size,
    read(offset, length) {
      if (offset + length > size) throw dataErrors.truncated(name, offset + length, size);
      return whole.read(start + offset, length);
    },
  };
}

/** Reads copy, so that the typed arrays made from them start on their own aligned buffer. */
export function inMemory(name: string, bytes: Uint8Array): RandomAccess {
  return {
    name,
    size: bytes.length,
    read(offset, length) {
      if (offset + length > bytes.length)
        return Promise.reject(dataErrors.truncated(name, offset + length, bytes.length));
      const copy = Buffer.allocUnsafeSlow(length);
      copy.set(bytes.subarray(offset, offset + length));
      return Promise.resolve(copy);
    },
  };
}
