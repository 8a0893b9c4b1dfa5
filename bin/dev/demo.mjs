/** The main job on the bundled fixture: a digit classifier, calibrated and judged on real handwritten digits. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
mkdirSync(join(root, 'out'), { recursive: true });
const args = [
  'quantize',
  'fixtures/digits/model.onnx',
  '--data',
  'fixtures/digits/calib',
  '--eval',
  'fixtures/digits/test',
  '--preprocess',
  'channels=gray scale=1/255 mean=.5 std=.5',
  '--output',
  'out/digits.int8.onnx',
  '--gate',
  'top1.drop <= 0.01',
  '--gate',
  'output.sqnr >= 20',
];
console.error(`$ qdq ${args.map((arg) => (/[ <>=]/.test(arg) ? `"${arg}"` : arg)).join(' ')}\n`);
process.exitCode =
  spawnSync(process.execPath, [join(root, 'dist', 'bin', 'qdq.js'), ...args], { cwd: root, stdio: 'inherit' }).status ??
  1;
