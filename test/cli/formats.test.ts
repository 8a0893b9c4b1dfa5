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
    ['qdq', ['--recurrent', 'scan'], 2, /the model has no LSTM, GRU or RNN/],
    ['dynamic', ['--recurrent', 'scan'], 2, /--recurrent means nothing to --format dynamic/],
  ])('%s %j ends with a remedy', async (format, flags, code, message) => {
    const { exitCode, stderr } = await quantize(format, ...flags, '--no-report', '--data', 'random');
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(code);
  });

  it('--override: a model in several types and formats, named in the recipe and explained', async () => {
    const overrides = ['Gemm: format=dynamic', '/pointwise/: activation-type=u16'];
    const flags = overrides.flatMap((text) => ['--override', text]);
    const report = join(folder, 'mixed.json');
    const made = await quantize('qdq', ...flags, '--data', 'random', '--samples', '4', '--report', report);
    expect(made.stderr).not.toMatch(/error/);
    expect(made.exitCode).toBe(0);
    expect(JSON.parse(readFileSync(report, 'utf8')).recipe).toMatchObject({ override: overrides });
    const { stdout } = await run(['explain', digits, ...flags]);
    expect(stdout).toMatch(/dynamic, by --override 'Gemm: format=dynamic'/);
    expect(stdout).toMatch(/Conv .*by --override '\/pointwise\/: activation-type=u16'/);
    const float = await run(['explain', digits, '--override', 'Gemm: format=float']);
    expect(float.stdout).toMatch(/left float by --override 'Gemm: format=float'/);
  });

  it.each([
    [['--override', 'Gem: format=dynamic'], /did you mean 'Gemm'/],
    [['--override', 'Gemm: formt=dynamic'], /did you mean 'format'/],
    [['--override', 'Relu: format=weight-only'], /changes nothing/],
    [
      ['--override', 'Conv: activation-type=s8 weight-type=u8'],
      /int8 activations cannot be combined with uint8 weights/,
    ],
  ])('%j ends with a remedy', async (flags, message) => {
    const { exitCode, stderr } = await quantize('qdq', ...flags, '--no-report', '--data', 'random');
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(2);
  });

  it('leaves nothing behind when it ends with an error', async () => {
    const output = join(folder, 'never.onnx');
    await run(['quantize', digits, '--format', 'weight-only', '--weight-bits', '5', '-o', output]);
    expect(existsSync(output)).toBe(false);
  });
});
