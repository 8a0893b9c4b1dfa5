/** A folder for files between the stages, beside the result, so that large ones fit where the result fits. */
import { mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder is gone when `use` is done, and when the process ends before. */
export async function withScratch<T>(beside: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(dirname(beside), '.qdq-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    return await use(folder);
  } finally {
    process.removeListener('exit', remove);
    remove();
  }
}
