/**
 * Compiles the project to `dist` for tests that run the real command; skipped when `dist` is newer than every source.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync, utimesSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
export const binary = join(root, 'dist/bin/qdq.js');

export default function compile(): void {
  const started = new Date();
  if (modified(binary) > newest()) return;
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
  const result = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.json'], { cwd: root, encoding: 'utf8' });
  if (modified(binary) === 0) throw new Error(`tsc wrote no ${binary}:\n${result.stdout}${result.stderr}`);
  // Type errors have a check of their own; here they only matter when the command cannot run.
  if (result.status !== 0) process.stderr.write(result.stdout);
  utimesSync(binary, started, started);
}

function newest(): number {
  let latest = modified(join(root, 'tsconfig.json'));
  for (const folder of ['bin', 'src']) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) latest = Math.max(latest, modified(join(entry.parentPath, entry.name)));
    }
  }
  return latest;
}

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
