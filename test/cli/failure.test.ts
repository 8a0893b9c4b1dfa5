import { expect, it } from 'vitest';
import { tellFailure, main } from '../../src/cli/main.ts';
import { dataError, QdqError } from '../../src/errors/qdq-error.ts';
import { digits } from './run.ts';

function tell(error: unknown, flags: { json?: boolean; verbose?: boolean } = {}, env: Record<string, string> = {}) {
  let [stdout, stderr] = ['', ''];
  const streams = {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    env,
  };
  const exitCode = tellFailure(error, streams, { json: false, verbose: false, ...flags });
  return { exitCode, stdout, stderr };
}

it('tells a data error in two lines', () => {
  expect(tell(dataError('X', 'a.onnx: damaged', 'export it again'))).toEqual({
    exitCode: 3,
    stdout: '',
    stderr: 'qdq: error: a.onnx: damaged\n  hint: export it again\n',
  });
});

it('tells it as JSON on stdout', () => {
  const { stdout } = tell(dataError('X', 'a.onnx: damaged', 'export it again'), { json: true });
  expect(JSON.parse(stdout)).toEqual({ error: { code: 'X', message: 'a.onnx: damaged', hint: 'export it again' } });
  expect(JSON.parse(tell(dataError('X', 'm'), { json: true }).stdout)).toEqual({ error: { code: 'X', message: 'm' } });
});

it.each([new TypeError('boom'), new QdqError('internal', 'SPEC', 'boom'), 'boom'])(
  'calls %s an internal error and asks to report it',
  (error) => {
    const { exitCode, stderr } = tell(error);
    expect(exitCode).toBe(4);
    expect(stderr).toMatch(/^qdq: error: internal error: boom\n.*QDQ_DEBUG=1.*\n {2}hint: .*report/);
    expect(stderr).not.toContain('    at ');
  },
);

it('shows the stack and the cause on request', () => {
  const error = new TypeError('boom', { cause: new Error('deep') });
  for (const { stderr } of [tell(error, { verbose: true }), tell(error, {}, { QDQ_DEBUG: '1' })]) {
    expect(stderr).toContain('    at ');
    expect(stderr).toContain('caused by: Error: deep');
  }
});

it('colours only on request', () => {
  expect(tell(dataError('X', 'm'), {}, { FORCE_COLOR: '1' }).stderr).toContain('\u001b[31merror:\u001b[39m');
  expect(tell(dataError('X', 'm'), {}, { FORCE_COLOR: '1', NO_COLOR: '1' }).stderr).toBe('qdq: error: m\n');
});

it('catches faults of commands', async () => {
  let stderr = '';
  const stdout = {
    write(): never {
      throw new RangeError('broken stream');
    },
  };
  expect(await main(['inspect', digits], { stdout, stderr: { write: (text) => (stderr += text) }, env: {} })).toBe(4);
  expect(stderr).toContain('internal error: broken stream');
});
