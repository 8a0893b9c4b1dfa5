/** Reports: forms, gates, baselines, exit codes. The compiled command makes one comparison; the rest reads its report. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { canonicalJson } from '../../src/compare/report.ts';
import { hostileReport, layeredReport } from '../report/layered-report.ts';
import { digits, run, spawn, temporaryFolder } from './run.ts';

// A comparison measures for seconds, and several on a busy machine for half a minute.
vi.setConfig({ testTimeout: 120_000 });

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const images = resolve(import.meta.dirname, '../../fixtures/digits/test');
const data = ['--data', images, '--preprocess', 'channels=gray scale=1/255 mean=.5 std=.5', '--samples', '12'];
const compareWords = ['compare', digits, path('q.onnx'), ...data, '--threads', '1'];
const stored = path('r.json');
const read = (name: string): string => readFileSync(path(name), 'utf8');

beforeAll(async () => {
  const quantized = await run(['quantize', digits, ...data, '-o', path('q.onnx'), '--no-report', '-q']);
  expect(quantized).toMatchObject({ exitCode: 0, stderr: '' });
  const compared = spawn([
    ...compareWords,
    '--report',
    stored,
    '--report-format',
    'markdown',
    '--report-format',
    'junit',
  ]);
  expect(compared.exitCode).toBe(0);
  writeFileSync(path('layered.json'), canonicalJson(layeredReport(12)));
  writeFileSync(path('hostile.json'), canonicalJson(hostileReport()));
});

describe('compare --report', () => {
  it('writes every form that was asked for, beside the first', () => {
    expect(JSON.parse(read('r.json'))).toMatchObject({ schema: 1, verdict: 'pass' });
    expect(read('r.md')).toMatch(/^### ✅ PASS/);
    expect(read('r.xml')).toContain('<testsuites ');
  });

  it('adds latency by operator with --profile', async () => {
    const words = [
      ...compareWords,
      '--profile',
      '--report',
      path('p.html'),
      '--report-format',
      'json',
      '--html-static',
    ];
    expect(await run(words)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('time by operator') });
    const { profile } = JSON.parse(read('p.json')) as { profile: { ops: { op: string }[] } };
    expect(profile.ops.map(({ op }) => op)).toContain('Conv');
    expect(read('p.html')).toContain('Latency by operator');
    expect(read('p.html')).not.toContain('<script');
  });

  it('refuses forms that there are not, before anything runs', async () => {
    const words = [...compareWords, '--report', path('no.json')];
    expect(await run([...words, '--report-format', 'markdwon'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("did you mean 'markdown'?"),
    });
    expect((await run([...words, '--report-format', 'annotations'])).exitCode).toBe(2);
    expect((await run([...compareWords, '--report-format', 'html'])).stderr).toContain('--report FILE');
    expect(existsSync(path('no.json'))).toBe(false);
  });
});

describe('report', () => {
  it.each([
    ['terminal', /^ PASS /],
    ['markdown', /^### /],
    ['junit', /^<\?xml/],
    ['annotations', /^::notice /],
    ['csv', /^name,/],
    ['html', /^<!doctype html>/],
    ['json', /^\{/],
  ])('prints %s', async (format, start) => {
    const { exitCode, stdout } = await run(['report', stored, '--format', format]);
    expect({ exitCode, matches: start.test(stdout) }).toEqual({ exitCode: 0, matches: true });
  });

  it('takes the form from the name of the output', async () => {
    expect((await run(['report', stored, '-o', path('again.xml')])).stdout).toContain('again.xml');
    expect(read('again.xml')).toBe(read('r.xml'));
    expect((await run(['report', stored, '-o', path('again.json')])).exitCode).toBe(0);
    expect(read('again.json')).toBe(read('r.json'));
  });

  it('never writes over the report it reads, and names what is wrong with a file', async () => {
    expect((await run(['report', stored, '-o', stored])).exitCode).toBe(2);
    writeFileSync(path('broken.json'), '{"schema": 1, "tool": 5}');
    expect(await run(['report', path('broken.json')])).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('broken.json'),
    });
    expect((await run(['report', path('absent.json')])).exitCode).toBe(2);
    expect((await run(['report', stored, '--format', 'pdf'])).stderr).toContain('terminal, markdown');
  });

  it('keeps the exit code of the report, and names each failed gate on stderr even when quiet', () => {
    const { exitCode, stderr } = spawn(['report', path('layered.json'), '-q']);
    expect(exitCode).toBe(1);
    expect(stderr).toBe('qdq: failed: top1.drop <= 2.00%: measured 1.86%, at worst 2.41%\n');
  });
});

describe('gates', () => {
  const judge = (...gates: string[]) =>
    run(['report', path('layered.json'), ...gates.flatMap((gate) => ['--gate', gate])]);

  it.each([
    [0, ['top1.drop <= 3%', 'tensor.isolated >= 4']],
    [0, ['top1.drop <= 2% by estimate']],
    [1, ['top1.drop <= 2%']],
    [0, ['warn: top1.drop <= 2%']],
    [0, ['off: top1.drop <= 2%']],
    [1, ['warn: top1.drop <= 2%', 'tensor.isolated >= 5']],
    [2, ['top1.dorp <= 2%']],
    [2, ['output.sqnr >= baseline']],
  ])('end with %i: %j', async (exitCode, gates) => {
    const outcome = await judge(...gates);
    expect(outcome.exitCode).toBe(exitCode);
    expect(outcome.stderr.match(/failed: /g)?.length ?? 0).toBe(exitCode === 1 ? 1 : 0);
  });

  it('of a comparison fail and pass alike', async () => {
    const fails = await run([...compareWords, '--gate', 'output.sqnr >= 200', '--gate', 'warn: agreement >= 1.0']);
    expect(fails.exitCode).toBe(1);
    expect(fails.stderr).toMatch(/qdq: failed: output.sqnr >= 200.00 dB: measured [\d.]+ dB\n/);
  });
});

describe('baseline', () => {
  const base = path('base.json');
  const relative = ['--baseline', base, '--gate', 'output.sqnr >= baseline - 0.5', '--gate', 'size.ratio >= baseline'];

  it('must exist, or be made', async () => {
    expect(await run([...compareWords, ...relative])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('--update-baseline'),
    });
    expect((await run([...compareWords, '--update-baseline'])).exitCode).toBe(2);
  });

  it('is made by the first run, and the next compares with it', async () => {
    const made = await run([...compareWords, ...relative, '--update-baseline']);
    expect(made).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('updated') });
    expect(JSON.parse(readFileSync(base, 'utf8'))).toMatchObject({ verdict: 'pass' });
    expect(await run([...compareWords, ...relative])).toMatchObject({ exitCode: 0 });
  });

  it('fails what is worse, and stays as it was', async () => {
    const report = JSON.parse(readFileSync(base, 'utf8')) as { outputs: { sqnrDb: number }[] };
    report.outputs[0]!.sqnrDb -= 3;
    writeFileSync(path('worse.json'), JSON.stringify(report));
    const words = ['report', path('worse.json'), ...relative];
    const worse = await run(words);
    expect(worse.exitCode).toBe(1);
    expect(worse.stderr).toContain('failed: output.sqnr');
    const before = readFileSync(base, 'utf8');
    expect((await run([...words, '--gate', 'size.ratio >= 1000', '--update-baseline'])).exitCode).toBe(1);
    expect(readFileSync(base, 'utf8')).toBe(before);
    // Relative gates of a new baseline compare it with itself.
    expect((await run([...words, '--update-baseline'])).exitCode).toBe(0);
    expect(readFileSync(base, 'utf8')).not.toBe(before);
  });
});

describe('--github', () => {
  it('annotates on stderr and appends to the job summary', async () => {
    writeFileSync(path('summary.md'), 'before\n');
    const words = ['report', path('hostile.json'), '--github'];
    const { exitCode, stderr } = await run(words, { GITHUB_STEP_SUMMARY: path('summary.md') });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^::error title=/m);
    expect(stderr).not.toMatch(/^::error::pwned/m);
    expect(read('summary.md')).toMatch(/^before\n### ❌ FAIL/);
  });

  it('does nothing by itself', async () => {
    const { stderr } = await run(['report', stored], {
      GITHUB_ACTIONS: 'true',
      GITHUB_STEP_SUMMARY: path('untouched.md'),
    });
    expect(stderr).toBe('');
    expect(existsSync(path('untouched.md'))).toBe(false);
  });

  it('says when there is no summary to write', async () => {
    expect((await run(['report', stored, '--github'])).stderr).toContain('GITHUB_STEP_SUMMARY is not set');
  });
});
