/** What ends a fine-tuning says what to try, leaves no output, and leaves the last good checkpoint; workers change next to nothing. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadModel, saveModel } from '../../src/onnx/model-file.ts';
import { buildProto, f32, node } from '../support/build.ts';
import { digits, run, runCompiled, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const inFolder = (name: string): string => join(folder, name);
const preprocess = ['--preprocess', 'channels=gray scale=1/255 mean=.5 std=.5'];
const data = ['--data', resolve(import.meta.dirname, '../../fixtures/digits/calib'), ...preprocess];
const qat = inFolder('qat.onnx');
const out = inFolder('out.onnx');

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

async function failing(words: readonly string[]): Promise<Failure> {
  const { exitCode, stdout } = await run([...words, '-o', out, '--json']);
  expect(exitCode).toBeGreaterThan(1);
  expect(existsSync(out)).toBe(false);
  return (JSON.parse(stdout) as { error: Failure }).error;
}

/** Samples of a module: the body of an async generator. */
function reader(name: string, body: string): string[] {
  const path = inFolder(name);
  writeFileSync(path, `export default async function* () { ${body} }`);
  return ['--reader', path];
}

beforeAll(async () => {
  const words = ['prepare', digits, ...data, '--weight-bits', '4', '--activation-bits', '4', '-o', qat];
  expect(await run(words)).toMatchObject({ exitCode: 0 });
}, 120_000);

describe('a training that cannot go on', () => {
  it('keeps its last good checkpoint when the gradient explodes, from which a calmer one may start', async () => {
    const kept = inFolder('run');
    const checkpoint = join(kept, 'checkpoint.safetensors');
    const words = ['finetune', qat, ...data, '--batch', '24', '--checkpoint', kept, '--checkpoint-every', '1'];
    // The first of 8 steps of warm-up is an eighth of the rate: large enough to throw the second one off.
    const { code, hint } = await failing([...words, '--steps', '12', '--lr', '1e5', '--warmup', '8']);
    expect(code).toMatch(/^QAT_(NAN|EXPLODING|DIVERGED)$/);
    expect(hint).toMatch(/lower --lr.*--warmup.*--clip-norm.*last checkpoint stays/);
    const saved = readFileSync(checkpoint);
    expect(saved.length).toBeGreaterThan(1000);
    expect(
      (await failing([...words, '--resume', '--steps', '12', '--lr', '0.001', '--warmup', '8'])).message,
    ).toContain("'lr'");
    expect(readFileSync(checkpoint)).toEqual(saved);
  }, 120_000);

  it('keeps the checkpoint too when a later sample is bad, which is named', async () => {
    const samples = reader(
      'nan.mjs',
      'for (let i = 0; i < 96; i++) yield { image: new Float32Array(256).fill(i < 60 ? i / 60 : NaN), label: i % 10 };',
    );
    const kept = inFolder('nan');
    const words = ['finetune', qat, ...samples, '--loss', 'ce', '--batch', '24', '--steps', '4'];
    const found = await failing([...words, '--checkpoint', kept, '--checkpoint-every', '1']);
    expect(found.code).toBe('DATA_NOT_FINITE');
    expect(existsSync(join(kept, 'checkpoint.safetensors'))).toBe(true);
  }, 60_000);

  it('says which label is no class, and which samples are too few', async () => {
    const labels = reader(
      'labels.mjs',
      'for (let i = 0; i < 48; i++) yield { image: new Float32Array(256), label: i < 30 ? 3 : 10 };',
    );
    const wrong = await failing(['finetune', qat, ...labels, '--loss', 'ce', '--batch', '24', '--steps', '3']);
    expect(wrong).toMatchObject({ code: 'QAT_LABEL', message: expect.stringContaining('classes 0 to 9') as string });
    expect(wrong.hint).toContain('--loss kl');
    const few = await failing(['finetune', qat, ...data, '--batch', '5000']);
    expect(few).toMatchObject({ code: 'QAT_FEW_SAMPLES', hint: expect.stringContaining('--batch') as string });
  }, 60_000);

  it('says in what the teacher differs', async () => {
    const teacher = inFolder('teacher.onnx');
    const flat = (input: string, output: string, classes: number): void => {
      const spec = {
        inputs: { [input]: ['N', 1, 16, 16] },
        initializers: { w: f32([256, classes]) },
        nodes: [node('Flatten', [input], ['f']), node('MatMul', ['f', 'w'], [output])],
        outputs: { [output]: ['N', classes] },
      };
      saveModel(buildProto(spec), teacher, { externalData: 'never' });
    };
    const message = async (): Promise<string> => {
      const found = await failing(['finetune', qat, ...data, '--batch', '24', '--teacher', teacher]);
      expect(found).toMatchObject({ code: 'QAT_TEACHER', hint: expect.stringContaining('--teacher') as string });
      return found.message;
    };
    flat('picture', 'logits', 10);
    expect(await message()).toContain("wants an input 'picture', the model has 'image'");
    flat('image', 'scores', 10);
    expect(await message()).toContain("has no output 'logits', but 'scores'");
    flat('image', 'logits', 7);
    expect(await message()).toMatch(/'logits' is \[24, 7\], that of the model \[24, 10\]/);
  }, 60_000);

  it('names the nodes on the way that have no gradient', async () => {
    const { proto } = loadModel(qat);
    const [output] = proto.graph!.output!;
    proto.graph!.node!.push(node('Round', [output!.name!], ['rounded']));
    output!.name = 'rounded';
    const broken = inFolder('broken.onnx');
    saveModel(proto, broken, { externalData: 'never' });
    const found = await failing(['finetune', broken, ...data, '--batch', '24']);
    expect(found.code).toBe('QAT_NOT_DIFFERENTIABLE');
    expect(found.message).toMatch(/\(Round\)/);
  }, 60_000);
});

describe('workers', () => {
  it('share a batch: two give what one gives, but for the order of float sums', async () => {
    const losses = async (workers: string): Promise<number[]> => {
      const path = inFolder(`workers${workers}.onnx`);
      const words = ['finetune', qat, ...data, '--batch', '24', '--steps', '3', '--loss', 'kl', '--workers', workers];
      const { stdout, exitCode } = await runCompiled([...words, '-o', path, '--json']);
      expect(exitCode).toBe(0);
      return (JSON.parse(stdout) as { training: { loss: number }[] }).training.map(({ loss }) => loss);
    };
    const [one, two] = [await losses('1'), await losses('2')];
    // Before the first update only the order of the sum over the batch differs: a few roundings of float32.
    expect(Math.abs(two[0]! / one[0]! - 1)).toBeLessThan(1e-6);
    // Then gradients differ in their last digits, and a weight or two on the edge between codes falls on the other side: one of
    // thousands of 4-bit codes moves the loss by less than a per cent.
    for (const step of [1, 2]) expect(Math.abs(two[step]! / one[step]! - 1)).toBeLessThan(0.01);
  }, 120_000);
});
