import { describe, expect, it } from 'vitest';
import type { Session } from '../../src/backends/session.ts';
import { evaluate, type EvaluateOptions } from '../../src/compare/evaluate.ts';
import type { TaskEvaluator } from '../../src/compare/metrics/metric.ts';
import type { Sample } from '../../src/data/sample.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { textNumbers } from '../../src/onnx/strings.ts';
import { fakeSession, memoryDataset, tensor } from './support.ts';

type Compute = (feeds: Readonly<Record<string, TensorValue>>) => TensorValue;

/** Sample i is the row [i, 1]; its label is i mod 2. */
const rows = (count: number, labelled = true): Sample[] =>
  Array.from({ length: count }, (_, i) => ({
    id: `s${i}`,
    inputs: { x: tensor('float32', [1, 2], [i, 1]) },
    ...(labelled ? { label: i % 2 } : {}),
  }));

const echo: Compute = ({ x }) => x!;
const plus =
  (offset: number): Compute =>
  ({ x }) => ({ ...x!, data: Float32Array.from(x!.data as Float32Array, (v) => v + offset) });

function run(float: Session, quant: Session, samples: Sample[], more: Partial<EvaluateOptions> = {}) {
  return evaluate({
    float: { name: 'a.onnx', session: float },
    quant: { name: 'b.onnx', session: quant },
    dataset: memoryDataset(samples),
    selection: { from: 0 },
    ...more,
  });
}

describe('evaluate', () => {
  it('takes equal infinities as equal, others as the error they are, and NaN of the reference as none to compare with', async () => {
    const with3: (third: (v: number) => number) => Compute =
      (third) =>
      ({ x }) => ({ type: 'float32', dims: [x!.dims[0]!, 3], data: Float32Array.from([1, 2, third(0)]) });
    const of = async (float: number, quant: number) => {
      const sessions = [float, quant].map((value) => fakeSession({ x: ['n', 2] }, { y: with3(() => value) }));
      return (await run(sessions[0]!, sessions[1]!, rows(1, false))).outputs[0]!;
    };
    expect(await of(-Infinity, -Infinity)).toMatchObject({
      ...{ nonFinite: 0, sqnrDb: Infinity, maxAbs: 0, kl: 0, argmaxAgreement: 1 },
    });
    expect((await of(-Infinity, -Infinity)).cosine).toBeCloseTo(1, 12);
    expect(await of(-Infinity, Infinity)).toMatchObject({ nonFinite: 1, sqnrDb: -Infinity });
    expect(await of(-Infinity, -5)).toMatchObject({ nonFinite: 1, sqnrDb: -Infinity });
    expect(await of(5, Infinity)).toMatchObject({ nonFinite: 1, maxAbs: Infinity });
    await expect(of(NaN, NaN)).rejects.toMatchObject({ code: 'COMPARE_NOT_FINITE' });
  });

  it('gives the same whatever the batch size', async () => {
    const sessions = () =>
      [fakeSession({ x: ['n', 2] }, { y: echo }), fakeSession({ x: ['n', 2] }, { y: plus(0.25) })] as const;
    const [floatA, quantA] = sessions();
    const whole = await run(floatA, quantA, rows(10), { batchSize: 10 });
    const [floatB, quantB] = sessions();
    const parts = await run(floatB, quantB, rows(10), { batchSize: 3 });
    expect(floatB.batches).toEqual([3, 3, 3, 1]);
    expect(parts).toEqual(whole);
    // Signal Σi² + 10 = 295, noise 20·0.0625.
    expect(whole.outputs[0]).toMatchObject({
      name: 'y',
      maxAbs: 0.25,
      meanAbs: 0.25,
      maxAbsAt: 's0',
      argmaxAgreement: 1,
      nonFinite: 0,
    });
    expect(whole.outputs[0]!.sqnrDb).toBeCloseTo(10 * Math.log10(295 / 1.25), 10);
  });

  it('fills the last group of a fixed batch and cuts it off again', async () => {
    const [float, quant] = [fakeSession({ x: [4, 2] }, { y: echo }), fakeSession({ x: ['n', 2] }, { y: plus(1) })];
    const fixed = await run(float, quant, rows(6), { batchSize: 16 });
    // The first tells where the samples lie.
    expect(float.batches).toEqual([4, 4, 4]);
    expect(quant.batches).toEqual([4, 4]);
    const free = await run(
      fakeSession({ x: ['n', 2] }, { y: echo }),
      fakeSession({ x: ['n', 2] }, { y: plus(1) }),
      rows(6),
    );
    expect(fixed).toEqual(free);
    expect(fixed.n).toBe(6);
    expect(fixed.task[0]!.n).toBe(6);
  });

  it('runs a sample that fills the fixed batch by itself', async () => {
    const samples = [0, 1].map((i) => ({
      id: `set${i}`,
      inputs: { x: tensor('float32', [4, 2], [1, 2, 3, 4, 5, 6, 7, 8]) },
    }));
    const float = fakeSession({ x: [4, 2] }, { y: echo });
    const { n, outputs } = await run(float, fakeSession({ x: [4, 2] }, { y: plus(1) }), samples);
    expect([n, float.batches, outputs[0]!.meanAbs]).toEqual([2, [4, 4], 1]);
  });

  it('evaluators the first output of shape [samples, classes]', async () => {
    const spread: Compute = ({ x }) => tensor('float32', [x!.dims[0]!, 2, 1], x!.data as Float32Array);
    const flip: Compute = ({ x }) => ({
      ...x!,
      data: Float32Array.from(x!.data as Float32Array, (v, i) => (i % 2 === 0 ? -v : v)),
    });
    const float = fakeSession({ x: ['n', 2] }, { boxes: spread, scores: echo });
    const quant = fakeSession({ x: ['n', 2] }, { boxes: spread, scores: flip });
    const { task } = await run(float, quant, rows(4));
    // Rows [0,1] [1,1] [2,1] [3,1] with labels 0 1 0 1: float is right on the third, quant (all class 1) on the others odd.
    expect(task).toHaveLength(1);
    expect(task[0]).toMatchObject({ metric: 'top1', output: 'scores', n: 4, float: 0.25, quant: 0.5, delta: 0.25 });
    expect(task[0]!.paired).toEqual({ bothRight: 0, onlyFloat: 1, onlyQuant: 2, bothWrong: 1 });
  });

  it('has no task without labels or classes', async () => {
    const sessions = () =>
      [fakeSession({ x: ['n', 2] }, { y: echo }), fakeSession({ x: ['n', 2] }, { y: echo })] as const;
    expect(await run(...sessions(), rows(3, false))).toMatchObject({ labelled: false, task: [] });
    const flat: Compute = ({ x }) =>
      tensor(
        'float32',
        [x!.dims[0]!],
        Array.from({ length: x!.dims[0]! }, () => 1),
      );
    const regress = () => fakeSession({ x: ['n', 2] }, { y: flat });
    expect(await run(regress(), regress(), rows(3))).toMatchObject({ labelled: true, task: [] });
  });

  it('gives an output with NaN the worst value of every metric', async () => {
    const broken: Compute = ({ x }) => ({
      ...x!,
      data: Float32Array.from(x!.data as Float32Array, (v) => (v === 2 ? NaN : v)),
    });
    const { outputs } = await run(
      fakeSession({ x: ['n', 2] }, { y: echo }),
      fakeSession({ x: ['n', 2] }, { y: broken }),
      rows(4),
    );
    expect(outputs[0]).toEqual({
      ...{ name: 'y', type: 'float32', nonFinite: 1, sqnrDb: -Infinity, cosine: -Infinity },
      ...{ maxAbs: Infinity, meanAbs: Infinity, argmaxAgreement: -Infinity, normL2: Infinity, kl: Infinity },
    });
  });

  it('tells how many texts are equal, and the first that differ, whatever the batch', async () => {
    const named =
      (words: readonly string[]): Compute =>
      ({ x }) => {
        const rows = Array.from({ length: x!.dims[0]! }, (_, i) => Number(x!.data[2 * i]));
        return { type: 'string', dims: [rows.length], data: textNumbers(rows.map((at) => words[at]!)) };
      };
    // Numbers of the table that lie closer to each other than rounding of such large ones.
    textNumbers(Array.from({ length: 30_000 }, (_, i) => `filler ${i}`));
    const session = (batch: number | string, words: string[]) =>
      fakeSession({ x: [batch, 2] }, { label: named(words) }, 'string');
    const of = (batch: number | string) => {
      const [float, quant] = [session(batch, ['a', 'b', 'c', 'd', 'e']), session(batch, ['a', 'b', 'x', 'd', 'e'])];
      return run(float, quant, rows(5, false), { batchSize: 5 });
    };
    const free = await of('n');
    expect(free.texts).toMatchObject([
      { name: 'label', n: 5, agreement: 0.8, differ: [{ sample: 's2', float: 'c', quant: 'x' }] },
    ]);
    expect(await of(2)).toEqual(free);
    expect(free).toMatchObject({ outputs: [], skipped: [] });
  });

  it('compares integer outputs as numbers and names those it cannot compare', async () => {
    const classes: Compute = ({ x }) =>
      tensor(
        'int64',
        [x!.dims[0]!],
        Array.from({ length: x!.dims[0]! }, () => 3),
      );
    const session = () => fakeSession({ x: ['n', 2] }, { y: classes }, 'int64');
    expect((await run(session(), session(), rows(2))).outputs[0]).toMatchObject({ type: 'int64', maxAbs: 0 });
    const complex = () => fakeSession({ x: ['n', 2] }, { y: classes }, 'complex64');
    await expect(run(complex(), complex(), rows(2))).rejects.toMatchObject({ code: 'COMPARE_NO_OUTPUTS' });
  });

  it('reports progress with the total of the selection', async () => {
    const seen: unknown[] = [];
    const sessions = [fakeSession({ x: ['n', 2] }, { y: echo }), fakeSession({ x: ['n', 2] }, { y: echo })] as const;
    await run(...sessions, rows(9), {
      batchSize: 2,
      selection: [1, 4, 7],
      onProgress: (done, total) => seen.push([done, total]),
    });
    expect(seen).toEqual([
      [2, 3],
      [3, 3],
    ]);
  });
});

describe('models that do not pair', () => {
  const good = () => fakeSession({ x: ['n', 2] }, { y: echo });
  const cases: [string, Session, Session, Sample[]][] = [
    ['COMPARE_OUTPUTS', good(), fakeSession({ x: ['n', 2] }, { z: echo }), rows(2)],
    ['COMPARE_INPUTS', good(), fakeSession({ other: ['n', 2] }, { y: echo }), rows(2)],
    ['COMPARE_BATCH', fakeSession({ x: [4, 2] }, { y: echo }), fakeSession({ x: [8, 2] }, { y: echo }), rows(2)],
    [
      'COMPARE_SHAPES',
      good(),
      fakeSession({ x: ['n', 2] }, { y: ({ x }) => ({ ...x!, dims: [2, x!.dims[0]!] }) }),
      rows(3),
    ],
    ['COMPARE_NOT_FINITE', fakeSession({ x: ['n', 2] }, { y: plus(NaN) }), good(), rows(2)],
    ['COMPARE_LABEL', good(), good(), rows(3).map((sample, i) => ({ ...sample, label: i }))],
    ['COMPARE_NO_SAMPLES', good(), good(), []],
  ];

  it.each(cases)('%s', async (code, float, quant, samples) => {
    await expect(run(float, quant, samples)).rejects.toMatchObject({ code });
  });

  it('names the sample with the bad label', async () => {
    const samples = rows(3).map((sample) => ({ ...sample, label: sample.id === 's2' ? 7 : 0 }));
    await expect(run(good(), good(), samples)).rejects.toThrow(/'s2' has label 7/);
  });

  it('carries the state of each model on its own, from zero in every sequence', async () => {
    const sum =
      (offset: number): Compute =>
      ({ x, h }) => ({ ...x!, data: Float32Array.of((x!.data[0] as number) + (h!.data[0] as number) + offset) });
    const session = (offset: number) => fakeSession({ x: ['n', 1], h: ['n', 1] }, { hn: sum(offset) });
    const samples = ['a', 'a', 'a', 'b'].map((sequence, i) => ({
      id: `s${i}`,
      inputs: { x: tensor('float32', [1, 1], [10]), h: tensor('float32', [1, 1], [0]) },
      sequence,
    }));
    const carry = [{ output: 'hn', input: 'h' }];
    const dataset = memoryDataset(samples, { carry });
    const { outputs } = await run(session(0), session(0.25), samples, { dataset });
    // The error grows with the state, 0.25 a step, and the fourth sample begins anew.
    expect(outputs[0]).toMatchObject({ maxAbs: 0.75, maxAbsAt: 's2', meanAbs: (0.25 + 0.5 + 0.75 + 0.25) / 4 });
    await expect(run(session(0), session(0), samples, { dataset, batchSize: 4 })).rejects.toThrow('--carry');
    const wrong = memoryDataset(samples, { carry: [{ output: 'no', input: 'h' }] });
    await expect(run(session(0), session(0), samples, { dataset: wrong })).rejects.toThrow("no output 'no'");
  });
});

describe('tasks and classes', () => {
  it('judge every output of a batch, without the rows that fill it up', async () => {
    const seen: [string, readonly number[]][] = [];
    const judge: TaskEvaluator = {
      add: (outputs) => outputs.forEach(({ dims }, name) => seen.push([name, dims])),
      scores: () => [
        { metric: 'mine', output: 'y', unit: 'mm', better: 'lower', n: 3, float: 1, quant: 4, ci95: [2, 4] },
      ],
    };
    const session = () => fakeSession({ x: [2, 2] }, { y: echo });
    const { task } = await evaluate({
      ...{ float: { name: 'float', session: session() }, quant: { name: 'quant', session: session() } },
      ...{ dataset: memoryDataset(rows(3)), selection: { from: 0 }, evaluators: [judge] },
    });
    expect(seen).toEqual([
      ['y', [2, 2]],
      ['y', [1, 2]],
    ]);
    expect(task.at(-1)).toMatchObject({ metric: 'mine', reference: 'float', delta: 3, ci95: [2, 4] });
  });

  it('tell which classes changed and which are taken for which', async () => {
    const samples = [0, 0, 1, 1].map((label, i) => ({
      ...{ id: `s${i}`, label, inputs: { x: tensor('float32', [1, 2], label === 0 ? [1, 0] : [0, 1]) } },
    }));
    const zero: Compute = ({ x }) => ({
      ...x!,
      data: Float32Array.from(x!.data as Float32Array, (_, i) => (i % 2 === 0 ? 1 : 0)),
    });
    const { classes, confusion } = await run(
      fakeSession({ x: ['n', 2] }, { y: echo }),
      fakeSession({ x: ['n', 2] }, { y: zero }),
      samples,
    );
    expect(classes).toMatchObject([
      { label: 1, n: 2, float: 1, quant: 0, delta: -1 },
      { label: 0, n: 2, float: 1, quant: 1, delta: 0 },
    ]);
    expect(confusion).toEqual({ output: 'y', classes: 2, agreed: 2, pairs: [{ float: 1, quant: 0, n: 2 }] });
  });
});
