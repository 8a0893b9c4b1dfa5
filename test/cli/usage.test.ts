/**
 * Everything that can be typed wrong ends with exit code 2, a stable code, one line that names the word, and a remedy.
 */
import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands/index.ts';
import { flagOf } from '../../src/settings/settings.ts';
import { digits, run, temporaryFolder } from './run.ts';

async function failure(words: readonly string[]) {
  const { exitCode, stdout, stderr } = await run([...words, '--json']);
  const { error } = JSON.parse(stdout) as { error: { code: string; message: string; hint?: string } };
  expect(stderr).toBe(`qdq: error: ${error.message}\n${error.hint === undefined ? '' : `  hint: ${error.hint}\n`}`);
  return { exitCode, ...error };
}

describe('words', () => {
  const cases: [string, string[], string, RegExp, RegExp][] = [
    ['no command', [], 'CLI_MISSING_COMMAND', /command is missing/, /--help/],
    ['unknown command', ['quantise', 'm'], 'CLI_UNKNOWN_COMMAND', /'quantise'/, /did you mean 'quantize'/],
    ['unknown command, nothing near', ['zzzzzz'], 'CLI_UNKNOWN_COMMAND', /'zzzzzz'/, /--help/],
    [
      'unknown option',
      ['quantize', 'm', '--observr', 'minmax'],
      'CLI_UNKNOWN_OPTION',
      /'--observr'/,
      /did you mean '--observer'/,
    ],
    [
      'unknown option before the command',
      ['--jsno', 'inspect', 'm'],
      'CLI_UNKNOWN_OPTION',
      /'--jsno'/,
      /did you mean '--json'/,
    ],
    [
      'unknown negated option',
      ['quantize', 'm', '--no-reprot'],
      'CLI_UNKNOWN_OPTION',
      /'--no-reprot'/,
      /did you mean '--no-report'/,
    ],
    [
      'option that a command lacks on purpose',
      ['convert', 'm', '--float-type', 'float16'],
      'CLI_UNKNOWN_OPTION',
      /'--float-type' of convert/,
      /float16 in float32.*'qdq quantize --float-type float16 --target NAME'/,
    ],
    ['unknown letter', ['quantize', 'm', '-x'], 'CLI_UNKNOWN_OPTION', /'-x'/, /qdq quantize --help/],
    [
      'camelCase',
      ['quantize', 'm', '--perTensor'],
      'CLI_UNKNOWN_OPTION',
      /'--perTensor'/,
      /did you mean '--per-tensor'/,
    ],
    ['dotted', ['quantize', 'm', '--data.x', '1'], 'CLI_UNKNOWN_OPTION', /'--data.x'/, /./],
    [
      "another command's option",
      ['fuse', 'm', '--gate', 'x'],
      'CLI_UNKNOWN_OPTION',
      /'--gate' of fuse/,
      /option of quantize, finetune, compare/,
    ],
    ['missing positional', ['quantize'], 'CLI_MISSING_ARGUMENT', /MODEL is missing/, /usage: qdq quantize MODEL/],
    [
      'second positional missing',
      ['compare', 'a.onnx'],
      'CLI_MISSING_ARGUMENT',
      /QUANT is missing/,
      /qdq compare FLOAT QUANT/,
    ],
    ['extra positional', ['inspect', 'a', 'b'], 'CLI_EXTRA_ARGUMENT', /'b'/, /usage/],
    ['empty positional', ['inspect', ''], 'CLI_MISSING_ARGUMENT', /MODEL/, /usage/],
    ['required option', ['fuse', 'm.onnx'], 'CLI_MISSING_OPTION', /--output is missing/, /qdq fuse MODEL --output OUT/],
  ];
  it.each(cases)('%s', async (_name, words, code, message, hint) => {
    const error = await failure(words);
    expect(error).toMatchObject({ exitCode: 2, code });
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
  });
});

describe('values', () => {
  const cases: [string, string[], string, RegExp][] = [
    ['not a number', ['--samples', 'eight'], 'CLI_BAD_VALUE', /--samples: 'eight' is not a whole number of at least 1/],
    ['zero', ['--samples', '0'], 'CLI_BAD_VALUE', /0 is not a whole number of at least 1/],
    ['negative', ['--samples', '-3'], 'CLI_BAD_VALUE', /-3 is not/],
    ['fraction', ['--threads', '1.5'], 'CLI_BAD_VALUE', /'1.5' is not a whole number from 1 to 1024/],
    ['exponent', ['--samples', '1e3'], 'CLI_BAD_VALUE', /'1e3'/],
    ['hexadecimal', ['--samples', '0x10'], 'CLI_BAD_VALUE', /'0x10'/],
    ['unsafe integer', ['--seed', '9007199254740993'], 'CLI_BAD_VALUE', /--seed/],
    ['wrong choice', ['--weight-type', 'i8'], 'CLI_BAD_VALUE', /'i8' is not one of s8, u8/],
    ['missing at the end', ['--samples'], 'CLI_MISSING_VALUE', /--samples needs a value/],
    ['missing before another option', ['--data', '--seed', '1'], 'CLI_MISSING_VALUE', /--data needs a value/],
    ['empty', ['--output='], 'CLI_MISSING_VALUE', /--output needs a value/],
    ['empty in a list', ['--gate', ''], 'CLI_MISSING_VALUE', /--gate/],
    ['list without value', ['--exclude'], 'CLI_MISSING_VALUE', /--exclude/],
    ['given twice', ['-o', 'a', '--output', 'b'], 'CLI_GIVEN_TWICE', /--output is given 2 times: 'a', 'b'/],
    ['number given twice', ['--samples', '1', '--samples', '2'], 'CLI_GIVEN_TWICE', /--samples/],
    ['negated value', ['--no-data'], 'CLI_NOT_NEGATABLE', /--no-data/],
    ['text for a flag', ['--per-tensor=yes'], 'CLI_BAD_VALUE', /'yes' is not true or false/],
  ];
  it.each(cases)('%s', async (_name, flags, code, message) => {
    const error = await failure(['quantize', 'model.onnx', ...flags]);
    expect(error).toMatchObject({ exitCode: 2, code });
    expect(error.message).toMatch(message);
  });

  it('names the nearest choice', async () => {
    expect((await failure(['quantize', 'm', '--activation-type', 'u9'])).hint).toBe("did you mean 'u8'?");
  });
});

describe('output paths', () => {
  it.each([
    ['fuse', '-o'],
    ['quantize', '-o'],
    ['quantize', '--report'],
    ['calibrate', '-o'],
  ])('%s %s never names the input', async (command, flag) => {
    expect(await failure([command, digits, flag, digits])).toMatchObject({ exitCode: 2, code: 'OUTPUT_IS_INPUT' });
  });

  it('sees through links', async () => {
    const folder = temporaryFolder();
    copyFileSync(digits, join(folder, 'model.onnx'));
    symlinkSync(join(folder, 'model.onnx'), join(folder, 'link.onnx'));
    expect(await failure(['fuse', join(folder, 'model.onnx'), '-o', join(folder, 'link.onnx')])).toMatchObject({
      code: 'OUTPUT_IS_INPUT',
    });
  });

  it('must lead into a folder that exists, to a file', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'sub'));
    expect(await failure(['fuse', digits, '-o', join(folder, 'no', 'out.onnx')])).toMatchObject({
      code: 'OUTPUT_NO_FOLDER',
    });
    expect(await failure(['fuse', digits, '-o', join(folder, 'sub')])).toMatchObject({ code: 'OUTPUT_IS_FOLDER' });
  });

  it('are different from each other', async () => {
    const out = join(temporaryFolder(), 'out.onnx');
    expect(await failure(['quantize', digits, '-o', out, '--report', out])).toMatchObject({ code: 'OUTPUT_TWICE' });
  });
});

describe('help', () => {
  it('lists every command', async () => {
    const { exitCode, stdout, stderr } = await run(['--help']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    for (const { name, summary } of commands) {
      expect(stdout).toContain(`qdq ${name}`);
      expect(stdout).toContain(summary.slice(0, 40));
    }
  });

  it.each(commands.map((command) => [command.name, command] as const))(
    '%s: usage, options and examples',
    async (name, command) => {
      const { exitCode, stdout } = await run([name, '--help']);
      expect(exitCode).toBe(0);
      for (const key of command.settings) expect(stdout).toContain(`--${flagOf(key)}`);
      for (const { name: positional, describe: what } of command.positionals)
        expect(stdout).toMatch(new RegExp(`${positional} +${what.slice(0, 10)}`));
      expect(stdout).toContain('Examples:');
      expect((await run(['help', name])).stdout).toBe(stdout);
      expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(110);
    },
  );

  it('follows no locale', async () => {
    const before = process.env['LC_ALL'];
    process.env['LC_ALL'] = 'de_DE.UTF-8';
    const { stdout } = await run(['--help']);
    if (before === undefined) delete process.env['LC_ALL'];
    else process.env['LC_ALL'] = before;
    expect(stdout).toContain('Show help');
  });
});
