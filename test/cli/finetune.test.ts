/** prepare → finetune → convert on the digits, end to end; a run that was killed ends with the same bytes. */
import { spawn as spawnChild } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../src/onnx/model-file.ts';
import { binary } from '../support/compile.ts';
import { digits, run, runCompiled, spawn, temporaryFolder, type Outcome } from './run.ts';

const folder = temporaryFolder();
const inFolder = (name: string): string => join(folder, name);
const images = (part: string): string => resolve(import.meta.dirname, `../../fixtures/digits/${part}`);
const preprocess = ['--preprocess', 'channels=gray scale=1/255 mean=.5 std=.5'];
const data = ['--data', images('calib'), ...preprocess];
const qat = inFolder('qat.onnx');

const live = inFolder('live.onnx');

interface Result {
  readonly evaluations: readonly { readonly step: number; readonly name: string; readonly value: number }[];
  readonly training: readonly { readonly loss: number }[];
}

const wordsOf = (model: string, out: string, ...more: string[]): string[] => [
  ...['finetune', model, ...data, '--batch', '24', '-o', out, '--json'],
  ...more,
];
const finetuneOf = (...words: Parameters<typeof wordsOf>): Promise<Outcome> => run(wordsOf(...words));
const finetune = (out: string, ...more: string[]): Promise<Outcome> => finetuneOf(qat, out, ...more);

/** Twelve of the 36 test images of each class: enough to see a model get better, at a third of the time. */
const judged = inFolder('judged');

beforeAll(async () => {
  for (const label of readdirSync(images('test'))) {
    const names = readdirSync(images(`test/${label}`))
      .toSorted()
      .slice(0, 12);
    for (const name of names) cpSync(images(`test/${label}/${name}`), join(judged, label, name));
  }
  const words = ['prepare', digits, ...data, '--weight-bits', '3', '--activation-bits', '3', '-o', qat];
  expect(spawn(words)).toMatchObject({ exitCode: 0 });
  const kept = await run([...words.slice(0, -1), live, '--bn', 'train', '--json']);
  expect(JSON.parse(kept.stdout)).toMatchObject({ batchNorms: 5 });
}, 120_000);

describe('prepare, finetune, convert', () => {
  it('with labels: 3 bits get better, and the int8 model says what the trained one says', async () => {
    const [tuned, int8] = [inFolder('tuned.onnx'), inFolder('int8.onnx')];
    const log = inFolder('log.jsonl');
    const outcome = await finetune(tuned, '--steps', '20', '--eval', judged, '--log', log);
    expect(outcome).toMatchObject({ exitCode: 0 });
    const { evaluations, training } = JSON.parse(outcome.stdout) as Result;
    expect(evaluations.map(({ step, name }) => [step, name])).toEqual([
      [0, 'top1'],
      [20, 'top1'],
    ]);
    // Measured on those 120: 85.0 % and 97.5 %.
    expect(evaluations[1]!.value).toBeGreaterThan(evaluations[0]!.value + 0.03);
    expect(training).toHaveLength(20);
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { step: number }).step)).toHaveLength(22);

    expect(spawn(['convert', tuned, '-o', int8])).toMatchObject({ exitCode: 0 });
    const words = ['compare', tuned, int8, '--data', images('test'), ...preprocess, '--json'];
    const report = JSON.parse((await run([...words, '--gate', 'agreement >= 0.999 by estimate'])).stdout) as {
      verdict: string;
      placement: { int8: number; float: number };
    };
    expect(report.verdict).not.toBe('fail');
    expect(report.placement.int8).toBeGreaterThan(report.placement.float);
  }, 180_000);

  it('without labels: learns from its own float weights, in all optimizers', async () => {
    for (const more of [
      ['--optimizer', 'adam', '--lr', '3e-4'],
      ['--scales', 'log', '--augment', 'crop=1 color=0.05'],
    ]) {
      const outcome = await finetune(inFolder('kl.onnx'), '--steps', '12', '--loss', 'kl', ...more);
      expect(outcome).toMatchObject({ exitCode: 0 });
      const { training } = JSON.parse(outcome.stdout) as Result;
      const mean = (points: Result['training']): number =>
        points.reduce((sum, { loss }) => sum + loss, 0) / points.length;
      expect(mean(training.slice(-4))).toBeLessThan(mean(training.slice(0, 4)));
    }
  }, 180_000);

  it('gives the same bytes with and without decoded samples being kept', async () => {
    const [kept, decoded] = [inFolder('kept.onnx'), inFolder('decoded.onnx')];
    const words = ['--steps', '12', '--augment', 'crop=1 color=0.05'];
    expect(await finetune(kept, ...words)).toMatchObject({ exitCode: 0 });
    expect(await finetune(decoded, ...words, '--cache', '0')).toMatchObject({ exitCode: 0 });
    expect(readFileSync(kept)).toEqual(readFileSync(decoded));
  }, 60_000);

  it('says what is wrong, and what to try', async () => {
    const failing = async (...more: string[]): Promise<{ code: string; message: string }> => {
      const { exitCode, stdout } = await finetune(inFolder('bad.onnx'), '--steps', '15', ...more);
      expect(exitCode).toBeGreaterThan(1);
      expect(existsSync(inFolder('bad.onnx'))).toBe(false);
      return (JSON.parse(stdout) as { error: { code: string; message: string } }).error;
    };
    expect((await failing('--lr', '1e6')).code).toMatch(/QAT_(NAN|EXPLODING|DIVERGED)/);
    expect((await failing('--samples', '8')).code).toBe('QAT_FEW_SAMPLES');
    expect((await failing('--loss', 'xe')).code).toBe('QAT_LOSS_NAME');
    expect((await failing('--resume')).code).toBe('QAT_RESUME');
    const labels = inFolder('labels.mjs');
    writeFileSync(
      labels,
      'export default async function* () { for (let i = 0; i < 48; i++) yield { image: new Float32Array(256), label: 10 }; }',
    );
    const words = [
      'finetune',
      qat,
      '--reader',
      labels,
      '--loss',
      'ce',
      '--batch',
      '24',
      '-o',
      inFolder('bad.onnx'),
      '--json',
    ];
    const { stdout } = await run(words);
    expect(stdout).toMatch(/QAT_LABEL/);
    expect(
      JSON.parse((await run(['finetune', digits, ...data, '-o', inFolder('bad.onnx'), '--json'])).stdout),
    ).toMatchObject({
      error: { code: 'QAT_NOT_PREPARED' },
    });
  }, 180_000);
});

describe('quantize --finetune', () => {
  it('is prepare, finetune, convert and compare in one, leaves nothing else behind, and its report has the curve', async () => {
    const [out, byHand] = [inFolder('once.onnx'), inFolder('by-hand.onnx')];
    const training = ['--steps', '6', '--eval', judged, '--eval-every', '3'];
    const words = [
      'quantize',
      digits,
      ...data,
      '--finetune',
      '--batch',
      '24',
      '--weight-bits',
      '3',
      '--activation-bits',
      '3',
      ...training,
    ];
    const outcome = await run([...words, '-o', out, '--report-format', 'html', '--gate', 'agreement >= 0.5', '--json']);
    expect(outcome).toMatchObject({ exitCode: 0 });
    expect(readdirSync(folder).filter((name) => name.startsWith('.qdq-'))).toEqual([]);
    expect(readFileSync(inFolder('once.report.html'), 'utf8')).toContain('id="training"');
    const report = JSON.parse(readFileSync(inFolder('once.report.json'), 'utf8')) as {
      training: { curve: unknown[]; evaluations: { step: number }[]; loss: string };
      gates: { pass: boolean }[];
    };
    expect(report.training).toMatchObject({ loss: 'ce', metric: 'top1' });
    expect(report.training.curve).toHaveLength(6);
    expect(report.training.evaluations.map(({ step }) => step)).toEqual([0, 3, 6]);
    expect(report.gates).toMatchObject([{ pass: true }]);
    // The stages are those of the commands: the same bytes.
    const tuned = inFolder('hand-tuned.onnx');
    expect(await finetune(tuned, ...training)).toMatchObject({ exitCode: 0 });
    expect(await run(['convert', tuned, '-o', byHand])).toMatchObject({ exitCode: 0 });
    expect(readFileSync(out)).toEqual(readFileSync(byHand));
  }, 180_000);

  it('takes no flag that has no effect', async () => {
    const code = async (...more: string[]): Promise<string> =>
      (JSON.parse((await run(['quantize', digits, ...data, ...more, '--json'])).stdout) as { error: { code: string } })
        .error.code;
    expect(await code('--steps', '3')).toBe('QAT_NEEDS_FINETUNE');
    expect(await code('--optimizer', 'adam')).toBe('QAT_NEEDS_FINETUNE');
    expect(await code('--finetune', '--format', 'dynamic')).toBe('QAT_NOT_FINETUNED');
    const bare = await run(['quantize', digits, '--finetune', '--json']);
    expect(bare).toMatchObject({ exitCode: 2 });
    expect(bare.stdout).toContain('QAT_NO_DATA');
  }, 60_000);
});

describe('live BatchNormalization', () => {
  const norms = (path: string): unknown => {
    const { proto } = loadModel(path);
    return proto.metadataProps?.find(({ key }) => key === 'qdq.batch-norm')?.value;
  };

  it('trains with the statistics of its batches, then with its own, and converts to what was judged', async () => {
    const [tuned, int8] = [inFolder('bn.onnx'), inFolder('bn.int8.onnx')];
    const outcome = await finetuneOf(live, tuned, '--steps', '20', '--freeze-bn', '12', '--eval', judged);
    expect(outcome).toMatchObject({ exitCode: 0 });
    const { evaluations, batchNorms } = JSON.parse(outcome.stdout) as Result & { batchNorms: number };
    expect(batchNorms).toBe(5);
    // Measured on those 120: 85.0 % and 98.3 %.
    expect(evaluations[1]!.value).toBeGreaterThan(evaluations[0]!.value + 0.03);
    expect(norms(tuned)).not.toBe(norms(live));
    expect(await run(['convert', tuned, '-o', int8])).toMatchObject({ exitCode: 0 });
    expect(norms(int8)).toBeUndefined();
    const words = [
      'compare',
      tuned,
      int8,
      '--data',
      images('test'),
      ...preprocess,
      '--gate',
      'agreement >= 0.999 by estimate',
    ];
    expect(await run(words)).toMatchObject({ exitCode: 0 });
  }, 180_000);

  it('leaves running statistics alone when frozen, and everything folded when told so', async () => {
    const means = (path: string): unknown =>
      (JSON.parse(norms(path) as string) as { norms: { mean: string; variance: string }[] }).norms.map(
        ({ mean, variance }) => [mean, variance],
      );
    const [frozen, folded] = [inFolder('frozen.onnx'), inFolder('folded.onnx')];
    expect(await finetuneOf(live, frozen, '--steps', '3', '--bn', 'freeze')).toMatchObject({ exitCode: 0 });
    expect(means(frozen)).toEqual(means(live));
    expect(await finetuneOf(live, folded, '--steps', '3', '--bn', 'fold')).toMatchObject({ exitCode: 0 });
    expect(norms(folded)).toBeUndefined();
    expect((await finetune(folded, '--steps', '3', '--bn', 'train')).stdout).toContain('QAT_NO_NORMS');
    expect((await finetuneOf(live, folded, '--bn', 'freeze', '--freeze-bn', '3')).stdout).toContain('QAT_FREEZE_BN');
    expect(await finetuneOf(live, folded, '--freeze-bn', '3', '--steps', '3')).toMatchObject({ exitCode: 0 });
  }, 180_000);
});

describe('a killed run', () => {
  const steps = ['--steps', '16', '--eval-every', '4', '--checkpoint-every', '2'];

  it.each([
    ['1', qat],
    ['2', qat],
    ['1', live],
  ])(
    'goes on with %s workers and ends with the same bytes: %s',
    async (workers, model) => {
      const id = `${workers}${basename(model)}`;
      const [whole, out] = [inFolder(`whole${id}`), inFolder(`resumed${id}`)];
      const own = [...steps, '--workers', workers, ...(workers === '1' ? ['--threads', '1'] : [])];
      expect(await runCompiled(wordsOf(model, whole, ...own))).toMatchObject({ exitCode: 0 });
      const kept = inFolder(`run${id}`);
      mkdirSync(kept);
      const words = ['finetune', model, ...data, '--batch', '24', '-o', out, ...own, '--checkpoint', kept];
      const child = spawnChild(process.execPath, [binary, ...words], { stdio: 'ignore' });
      const ended = new Promise((done) => child.once('exit', (_, signal) => done(signal)));
      while (!existsSync(join(kept, 'checkpoint.safetensors')) && child.exitCode === null) await sleep(5);
      child.kill('SIGKILL');
      expect(await ended).toBe('SIGKILL');
      expect(existsSync(out)).toBe(false);

      expect((await runCompiled(words)).stderr).toContain('holds a training already');
      const other = await runCompiled([...words, '--resume', '--lr', '0.1']);
      expect(other.stderr).toContain("'lr' was 0.002, now it is 0.1");
      const resume = [...words, '--resume'];
      const again = workers === '1' ? await runCompiled(resume) : spawn(resume);
      expect(again).toMatchObject({ exitCode: 0 });
      expect(Number(/going on after step (\d+)/.exec(again.stderr)?.[1])).toBeGreaterThan(0);
      expect(readFileSync(out)).toEqual(readFileSync(whole));
    },
    240_000,
  );
});
