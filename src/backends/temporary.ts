/** Folders for files that are gone when the work is done, and the words for it when there can be none. */
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backendErrors } from '../errors/backends.ts';

/** Of a graph beside its constants. */
const graphBytes = 2 ** 20;

/** @throws TEMPORARY_FOLDER */
export function temporaryFolder(prefix: string): string {
  try {
    return mkdtempSync(join(tmpdir(), prefix));
  } catch (cause) {
    throw backendErrors.noTemporary(tmpdir(), cause);
  }
}

/** Before any work, which would be lost. @throws TEMPORARY_FOLDER */
export function checkTemporary(): void {
  rmSync(temporaryFolder('qdq-'), { recursive: true });
}

/** After a failure: whether it was for want of room. @throws TEMPORARY_FULL */
export function checkRoom(bytes: number, cause: unknown): void {
  let free: number;
  try {
    const { bavail, bsize } = statfsSync(tmpdir());
    free = bavail * bsize;
  } catch {
    return;
  }
  if (free < bytes + graphBytes) throw backendErrors.temporaryFull(tmpdir(), bytes + graphBytes, cause);
}
