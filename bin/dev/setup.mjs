/**
 * What must be there before anything of the project runs: installed packages and compiled code. Plain JavaScript on Node's
 * own modules, because it runs on a fresh clone. Does nothing when nothing has changed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

function run(command, args) {
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', process.stderr, process.stderr],
    shell: process.platform === 'win32',
  });
  if (status !== 0) process.exit(status ?? 1);
}

function newest(folder) {
  let time = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    time = Math.max(time, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs);
  }
  return time;
}

const installed = join(root, 'node_modules', '.package-lock.json');
const fresh = existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
if (!fresh) run('npm', ['ci', '--no-audit', '--no-fund']);

const built = join(root, 'dist', 'bin', 'qdq.js');
const sources = Math.max(...['bin', 'src', 'test'].map((folder) => newest(join(root, folder))));
if (!existsSync(built) || statSync(built).mtimeMs < sources)
  run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', root]);
