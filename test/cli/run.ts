/** Runs the command line: in this process with captured streams (fast), or the compiled binary (the real thing). */
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { main } from '../../src/cli/main.ts';
import { binary } from '../support/compile.ts';

export interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export const digits = resolve(import.meta.dirname, '../../fixtures/digits/model.onnx');

export async function run(words: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const written = { stdout: '', stderr: '' };
  const exitCode = await main(words, {
    stdout: { write: (text) => (written.stdout += text) },
    stderr: { write: (text) => (written.stderr += text) },
    env,
  });
  return { exitCode, ...written };
}

export function spawn(words: readonly string[], cwd: string = tmpdir(), nodeFlags: readonly string[] = []): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...nodeFlags, binary, ...words], {
    cwd,
    encoding: 'utf8',
  });
  return { exitCode: status, stdout, stderr };
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'qdq-cli-'));
}
