/** Models that take exactly so many samples at once say what their twins with a free batch say, in every command. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rangesOf, readState } from '../../../src/calibrate/state.ts';
import {
  calibrateModel,
  compareModels,
  convertModel,
  finetuneModel,
  fuseModel,
  measureSensitivity,
  prepareModel,
  quantizeFinetuned,
  quantizeModel,
} from '../../../src/index.ts';
import { encodeModel } from '../../../src/onnx/model-file.ts';
import { npyFile, temporaryFolder, zipFile } from '../../data/helpers.ts';
import { buildProto, f32, i64, node, type DimSpec, type ModelSpec } from '../../support/build.ts';

const folder = temporaryFolder();
const place = (name: string): string => join(folder, name);

/** No multiple of any batch here. */
const samples = 11;
const noise = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin((i + 1) * 12.9898 + seed * 78.233) * (1 + (i % 7) / 3));

function archive(name: string, shapes: Readonly<Record<string, readonly number[]>>, labels?: number): string {
  const files: Record<string, Uint8Array> = {};
  for (const [index, [key, dims]] of Object.entries(shapes).entries()) {
    const all = [samples, ...dims];
    files[`${key}.npy`] = npyFile(
      '<f4',
      all,
      noise(
        all.reduce((a, b) => a * b, 1),
        index,
      ),
    );
  }
  if (labels !== undefined)
    files['labels.npy'] = npyFile(
      '<i8',
      [samples],
      BigInt64Array.from({ length: samples }, (_, i) => BigInt(i % labels)),
    );
  const path = place(`${name}.npz`);
  writeFileSync(path, zipFile(files));
  return path;
}

function model(name: string, spec: ModelSpec): string {
  const path = place(`${name}.onnx`);
  writeFileSync(path, encodeModel(buildProto(spec)));
  return path;
}

/** Two inputs and a factor, which is no part of the batch. */
const classifier = (batch: DimSpec, other = batch): ModelSpec => ({
  inputs: { x: [batch, 2, 4, 4], side: [other, 3], gain: [] },
  initializers: { w: f32([8, 2, 3, 3]), v: f32([3, 8]), u: f32([8, 5]) },
  nodes: [
    node('Conv', ['x', 'w'], ['a'], { pads: [1, 1, 1, 1] }),
    node('Relu', ['a'], ['b']),
    node('GlobalAveragePool', ['b'], ['c']),
    node('Flatten', ['c'], ['d']),
    node('MatMul', ['side', 'v'], ['e']),
    node('Add', ['d', 'e'], ['f']),
    node('Mul', ['f', 'gain'], ['g']),
    node('Gemm', ['g', 'u'], ['scores']),
  ],
  outputs: { scores: [batch, 5] },
});

/** Steps come first, so that samples lie side by side along the second axis of all inputs and outputs. */
const series = (batch: DimSpec): ModelSpec => ({
  inputs: { x: [6, batch, 4], state: [1, batch, 8] },
  initializers: {
    ...{ p: f32([4, 4]), w: f32([1, 32, 4]), r: f32([1, 32, 8]), u: f32([8, 6]), v: f32([6, 3]), one: i64([1]) },
    cell: f32([1, 1, 8], new Float32Array(8)),
  },
  nodes: [
    node('MatMul', ['x', 'p'], ['a']),
    node('LSTM', ['a', 'w', 'r', '', '', 'state'], ['y', 'next'], { hidden_size: 8 }),
    node('Squeeze', ['y', 'one'], ['b']),
    node('MatMul', ['b', 'u'], ['c']),
    node('Relu', ['c'], ['d']),
    node('MatMul', ['d', 'v'], ['z']),
  ],
  outputs: { z: [6, batch, 3], next: [1, batch, 8] },
});

/** A list of detections in which images cannot be told apart by place: they have a number. */
const detector = (batch: number): ModelSpec => ({
  inputs: { x: [batch, 3, 4, 4] },
  initializers: {
    ...{ w: f32([8, 3, 3, 3]), v: f32([4, 8, 1, 1]), u: f32([2, 8, 1, 1]) },
    ...{ boxes: i64([batch, 4, 16]), classes: i64([batch, 2, 16]), most: i64([3]), iou: f32([1], [0.5]) },
  },
  nodes: [
    node('Conv', ['x', 'w'], ['a'], { pads: [1, 1, 1, 1] }),
    node('Relu', ['a'], ['b']),
    node('Conv', ['b', 'v'], ['c']),
    node('Reshape', ['c', 'boxes'], ['d']),
    node('Transpose', ['d'], ['e'], { perm: [0, 2, 1] }),
    node('Conv', ['b', 'u'], ['f']),
    node('Reshape', ['f', 'classes'], ['scores']),
    node('NonMaxSuppression', ['e', 'scores', 'most', 'iou'], ['found']),
  ],
  outputs: { scores: [batch, 2, 16], found: { type: 'int64', dims: [null, 3] } },
});

/** What must not depend on how many samples share a run. */
async function figures(path: string, data: string, input: readonly string[] = []) {
  const state = place('state');
  await calibrateModel({ model: path, output: state, data, input, samples: 7, threads: 1 });
  const { report } = await quantizeModel({
    ...{ model: path, output: place('int8.onnx'), state, data, input, samples: 7, threads: 1 },
  });
  const outputs = report!.outputs.map(({ name, sqnrDb, maxAbs, maxAbsAt, argmaxAgreement }) => ({
    ...{ name, maxAbsAt, argmaxAgreement },
    sqnrDb: Number(sqnrDb.toFixed(3)),
    maxAbs: Number(maxAbs.toFixed(5)),
  }));
  const task = report!.task.map(({ metric, n, float, quant }) => ({ metric, n, float, quant }));
  const ranges = [...rangesOf(readState(state))].map(([name, { min, max }]) => [
    name,
    Number(min.toFixed(4)),
    Number(max.toFixed(4)),
  ]);
  return { n: report!.data.evaluation.n, outputs, task, ranges };
}

describe('a fixed batch gives what a free one gives', () => {
  it('with two inputs, a constant beside them, and labels', async () => {
    const data = archive('two', { x: [2, 4, 4], side: [3] }, 5);
    const free = await figures(model('free', classifier('n')), data, ['gain=1.5']);
    expect(free.task[0]).toMatchObject({ metric: 'top1', n: 4 });
    expect(await figures(model('eight', classifier(8)), data, ['gain=1.5'])).toEqual(free);
    // As PaddlePaddle writes a free one.
    expect(await figures(model('minus', classifier(-1)), data, ['gain=1.5'])).toEqual(free);
    // One input alone says how many.
    expect(await figures(model('half', classifier(4, 'n')), data, ['gain=1.5'])).toEqual(free);
  });

  it('with an input that has no batch axis and differs from sample to sample', async () => {
    const data = archive('gains', { x: [2, 4, 4], side: [3], gain: [] }, 5);
    const free = await figures(model('free', classifier('n')), data);
    expect(await figures(model('three', classifier(3)), data)).toEqual(free);
  });

  it.each([
    ['without their batch axis', [6, 4], [1, 8]],
    ['with it', [6, 1, 4], [1, 1, 8]],
  ])('with steps before samples, given %s', async (_, x, state) => {
    const data = archive('series', { x, state });
    const free = await figures(model('steps', series('n')), data);
    expect(await figures(model('steps3', series(3)), data)).toEqual(free);
  });
});

describe('every command takes a fixed batch', () => {
  it('of a detector whose list of detections is no batch', async () => {
    const data = archive('images', { x: [3, 4, 4] });
    const path = model('detector', detector(2));
    const { report } = await quantizeModel({ model: path, output: place('d.onnx'), data, threads: 1 });
    expect(report!.outputs.map(({ name }) => name)).toEqual(['scores', 'found']);
    expect(report!.data.evaluation.n).toBe(6);
    const { samples: proven } = await fuseModel({ model: path, output: place('f.onnx'), data, threads: 1 });
    expect(proven).toBe(8);
  });

  it('of series, from float to trained', async () => {
    const data = archive('series', { x: [6, 4], state: [1, 8] });
    const path = model('steps3', series(3));
    const common = { data, threads: 1 };
    const output = place('out.onnx');
    await fuseModel({ ...common, model: path, output });
    for (const format of ['dynamic', 'weight-only', 'fp16', 'bf16'] as const)
      await quantizeModel({ ...common, model: path, output, format, layers: false });
    await quantizeModel({ ...common, model: path, output });
    await compareModels({ ...common, float: path, quant: output, gates: ['output.sqnr >= 10'], profile: true });
    const { sensitivity } = await measureSensitivity({ ...common, model: path });
    expect(sensitivity.n).toBe(6);
    const [prepared, tuned] = [place('prepared.onnx'), place('tuned.onnx')];
    await prepareModel({ ...common, model: path, output: prepared, weightBits: 4, activationBits: 4 });
    const { steps } = await finetuneModel({ ...common, model: prepared, output: tuned, steps: 2, report: false });
    expect(steps).toBe(2);
    await convertModel({ model: tuned, output });
    await quantizeFinetuned({ ...common, model: path, output, steps: 2 });
  });

  it('with targets for every row of a sample that fills the batch alone', async () => {
    const data = archive('gains', { x: [2, 4, 4], side: [3], gain: [] }, 5);
    const path = model('three', classifier(3));
    const prepared = place('prepared.onnx');
    await prepareModel({ data, threads: 1, model: path, output: prepared, weightBits: 4, activationBits: 4 });
    const { loss } = await finetuneModel({
      data,
      threads: 1,
      model: prepared,
      output: place('t.onnx'),
      steps: 2,
      batch: 2,
    });
    expect(loss).toBe('ce');
  });
});

describe('a batch that the input leaves open and a Reshape fixes', () => {
  const flattened = (size: number, columns: number): ModelSpec => ({
    inputs: { x: ['n', 2, 4, 4] },
    initializers: { w: f32([3, 2, 3, 3]), shape: i64(size < 0 ? [size, columns] : [size, -1]), u: f32([columns, 5]) },
    nodes: [
      node('Conv', ['x', 'w'], ['a'], { pads: [1, 1, 1, 1] }),
      node('Relu', ['a'], ['b']),
      node('Reshape', ['b', 'shape'], ['c'], {}, { name: 'flatten' }),
      node('Gemm', ['c', 'u'], ['scores']),
    ],
    outputs: { scores: ['m', 5] },
  });
  const common = { threads: 1, layers: false } as const;

  it('is filled up as one that says so, with a word', async () => {
    const data = archive('flat', { x: [2, 4, 4] }, 5);
    const output = place('out.onnx');
    const { warnings, report } = await quantizeModel({
      ...common,
      model: model('four', flattened(4, 48)),
      output,
      data,
    });
    expect(warnings).toContain(
      "input 'x' declares an open batch, but Reshape 'flatten' fixes it: the model takes 4 samples at a time",
    );
    const twin = await quantizeModel({ ...common, model: model('twin', flattened(-1, 48)), output, data });
    expect(report!.outputs).toEqual(twin.report!.outputs);
    expect(report!.task).toEqual(twin.report!.task);
  });

  it('is named where the model runs neither way, and one sample runs at a time where no more do', async () => {
    const data = archive('flat', { x: [2, 4, 4] }, 5);
    const output = place('out.onnx');
    await expect(
      quantizeModel({ ...common, model: model('bad', flattened(4, 7)), output, data }),
    ).rejects.toMatchObject({
      code: 'FIXED_RESHAPE',
      message: expect.stringContaining("Reshape 'flatten'"),
    });
    const { warnings } = await quantizeModel({ ...common, model: model('parts', flattened(4, 12)), output, data });
    expect(warnings).toContain(
      "input 'x' declares an open batch, but Reshape 'flatten' fixes it: the model takes 1 sample at a time",
    );
  });
});
