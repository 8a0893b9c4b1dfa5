/** `qdq quantize --format`: every format from the command line, and the combinations that end with a remedy. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digits, run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();

function quantize(format: string, ...more: string[]) {
  const output = join(folder, `${format}.onnx`);
  return run(['quantize', digits, '--format', format, '-o', output, '--quiet', ...more]);
}

describe('qdq quantize --format', () => {
  it.each([
    ['qoperator', ['--data', 'random', '--samples', '4']],
    ['dynamic', []],
    ['weight-only', ['--weight-bits', '8', '--block-size', '64']],
    ['fp16', ['--no-keep-io']],
    ['bf16', []],
  ])('%s writes a model that ran, and its recipe names the format', async (format, flags) => {
    const { exitCode, stderr } = await quantize(format, ...flags, '--report', join(folder, `${format}.json`));
    expect(stderr).not.toMatch(/error/);
    expect(exitCode).toBe(0);
    const { recipe } = JSON.parse(readFileSync(join(folder, `${format}.json`), 'utf8'));
    expect(recipe).toMatchObject({ format });
  });

  it.each([
    ['weight-only', ['--weight-bits', '3'], 2, /2, 4, 8 bits/],
    ['weight-only', ['--block-size', '48'], 2, /power of two from 16 to 256/],
    ['weight-only', ['--activation-type', 'u8'], 2, /--activation-type means nothing to --format weight-only/],
    ['weight-only', ['--exclude', 'Gemm'], 3, /--include Conv quantizes those too/],
    ['dynamic', ['--include', 'Relu'], 3, /not matched|none that it can take/],
    ['qoperator', ['--activation-type', 'u16'], 2, /8 bits only, not for uint16/],
    ['qdq', ['--activation-type', 's8', '--weight-type', 'u8'], 2, /--weight-type s8/],
    ['qdq', ['--weight-type', 'f8'], 2, /8-bit floats/],
  ])('%s %j ends with a remedy', async (format, flags, code, message) => {
    const { exitCode, stderr } = await quantize(format, ...flags, '--no-report', '--data', 'random');
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(code);
  });

  it('leaves nothing behind when it ends with an error', async () => {
    const output = join(folder, 'never.onnx');
    await run(['quantize', digits, '--format', 'weight-only', '--weight-bits', '5', '-o', output]);
    expect(existsSync(output)).toBe(false);
  });
});
