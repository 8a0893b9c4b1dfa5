import { expect, it } from 'vitest';
import { createConsole, wantsColor } from '../../src/cli/console.ts';
import { createProgress, duration, type ProgressMode } from '../../src/cli/progress.ts';

function display(mode: ProgressMode, columns?: number) {
  let written = '';
  const clock = { ms: 0 };
  const progress = createProgress({ columns, write: (text) => (written += text) }, mode, () => clock.ms);
  return { progress, clock, take: () => [written, (written = '')][0]! };
}

it('writes one line per stage where lines cannot be redrawn', () => {
  const { progress, clock, take } = display('lines');
  progress.update({ stage: 'calibrating', done: 0, total: 100, unit: 'samples' });
  clock.ms = 2500;
  progress.update({ stage: 'calibrating', done: 100, total: 100, unit: 'samples' });
  expect(take()).toBe('');
  progress.update({ stage: 'comparing', done: 1, unit: 'samples' });
  expect(take()).toBe('calibrating: 100 samples in 2.5 s\n');
  clock.ms = 2500 + 61_000;
  progress.finish();
  expect(take()).toBe('comparing: 1 sample in 1:01 min\n');
  progress.finish();
  expect(take()).toBe('');
});

it('redraws one line with bar, rate and time left', () => {
  const { progress, clock, take } = display('bar');
  progress.update({ stage: 'calibrating', done: 0, total: 40, unit: 'samples' });
  take();
  clock.ms = 50;
  progress.update({ stage: 'calibrating', done: 1, total: 40, unit: 'samples' });
  expect(take()).toBe('');
  clock.ms = 2000;
  progress.update({ stage: 'calibrating', done: 10, total: 40, unit: 'samples' });
  expect(take()).toBe('\rcalibrating  [======                  ] 10/40 samples  5.0/s  6.0 s left\u001b[K');
  progress.finish();
  expect(take()).toBe('\r\u001b[Kcalibrating: 10/40 samples in 2.0 s\n');
});

it('never fills the terminal line', () => {
  const { progress, take } = display('bar', 30);
  progress.update({ stage: 'calibrating', done: 3, unit: 'samples of a long name' });
  expect(take().replace(/[\r]|\u001b\[K/g, '')).toHaveLength(29);
});

it('makes room for other text', () => {
  const { progress, take } = display('bar');
  progress.update({ stage: 'a', done: 1, unit: 'x' });
  take();
  progress.clear();
  expect(take()).toBe('\r\u001b[K');
  progress.clear();
  expect(take()).toBe('');
  progress.update({ stage: 'a', done: 2, unit: 'x' });
  expect(take()).toContain('a  2 x');
});

it('is silent when asked', () => {
  const { progress, take } = display('none');
  progress.update({ stage: 'a', done: 1, unit: 'x' });
  progress.finish();
  expect(take()).toBe('');
});

it.each([
  [0, '0.0 s'],
  [59_940, '59.9 s'],
  [59_960, '1:00 min'],
  [3_599_600, '1:00:00 h'],
  [3_723_000, '1:02:03 h'],
])('%i ms is %s', (ms, text) => expect(duration(ms)).toBe(text));

it('decides on colour by NO_COLOR, FORCE_COLOR and the stream', () => {
  const tty = { isTTY: true, write: () => {} };
  const pipe = { write: () => {} };
  expect(wantsColor(tty, {})).toBe(true);
  expect(wantsColor(pipe, {})).toBe(false);
  expect(wantsColor(tty, { TERM: 'dumb' })).toBe(false);
  expect(wantsColor(tty, { NO_COLOR: '1', FORCE_COLOR: '1' })).toBe(false);
  expect(wantsColor(tty, { NO_COLOR: '' })).toBe(true);
  expect(wantsColor(tty, { FORCE_COLOR: '0' })).toBe(false);
  expect(wantsColor(pipe, { FORCE_COLOR: '1' })).toBe(true);
});

it('draws bars on terminals only, and not in CI', () => {
  const write = (env: Record<string, string>, isTTY: boolean): string => {
    let text = '';
    const stderr = { isTTY, write: (part: string) => (text += part) };
    const { progress } = createConsole({ stdout: stderr, stderr, env }, { json: false, quiet: false });
    progress.update({ stage: 'a', done: 1, unit: 'x' });
    return text;
  };
  expect(write({}, true)).toContain('\r');
  expect(write({ CI: 'true' }, true)).toBe('');
  expect(write({}, false)).toBe('');
});

it('keeps notes and warnings from a quiet stderr, and results on stdout', () => {
  const texts = { stdout: '', stderr: '' };
  const streams = {
    stdout: { write: (text: string) => (texts.stdout += text) },
    stderr: { write: (text: string) => (texts.stderr += text) },
    env: {},
  };
  const quiet = createConsole(streams, { json: true, quiet: true });
  quiet.note('n');
  quiet.warn('w');
  quiet.result({ a: 1 }, () => 'text');
  expect(texts).toEqual({ stdout: '{\n  "a": 1\n}\n', stderr: '' });
  createConsole(streams, { json: false, quiet: false }).warn('w');
  expect(texts.stderr).toBe('qdq: warning: w\n');
});
