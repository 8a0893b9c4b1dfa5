/**
 * Runs the command line: in this process with captured streams, from source (fast) or compiled (which has worker threads); or the
 * compiled binary in a process of its own (the real thing, which takes seconds).
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { main } from '../../src/cli/main.ts';
import { binary } from '../support/compile.ts';

export interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export const digits = resolve(import.meta.dirname, '../../fixtures/digits/model.onnx');

export function run(words: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  return captured(main, words, env);
}

/** Worker threads load files without vitest, so that Node has to understand them. */
export async function runCompiled(words: readonly string[]): Promise<Outcome> {
  const compiled = pathToFileURL(join(dirname(binary), '../src/cli/main.js')).href;
  return captured(((await import(compiled)) as { main: typeof main }).main, words, {});
}

async function captured(command: typeof main, words: readonly string[], env: Record<string, string>): Promise<Outcome> {
  const written = { stdout: '', stderr: '' };
  const exitCode = await command(words, {
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
