/** The types that are published, compiled by a program of a user who does not skip the check of declaration files. */
import { spawnSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from './run.ts';

const root = resolve(import.meta.dirname, '../..');

it('compile with skipLibCheck off', () => {
  const folder = temporaryFolder();
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const entry = join(root, 'dist/src/index.js');
  writeFileSync(
    join(folder, 'user.ts'),
    `import { quantizeModel, type Report } from ${JSON.stringify(entry)};
     const made: Promise<{ report?: Report | undefined }> = quantizeModel({ model: 'a.onnx', output: 'b.onnx' });
     export const sqnr: Promise<number | undefined> = made.then(({ report }) => report?.outputs[0]?.sqnrDb);`,
  );
  const compilerOptions = { target: 'es2022', module: 'nodenext', strict: true, noEmit: true, skipLibCheck: false };
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...compilerOptions, types: ['node'] }, files: ['user.ts'] }),
  );
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
  const { stdout, status } = spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
});
