/** A state to a table of another tool and back: the int8 model is the same where the table holds all. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { onnx } from 'onnx-proto';
import { beforeAll, describe, expect, it } from 'vitest';
import { readState } from '../../src/calibrate/state.ts';
import { digits, run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const inFolder = (name: string): string => join(folder, name);
const data = [
  '--data',
  resolve(import.meta.dirname, '../../fixtures/digits/test'),
  '--preprocess',
  'channels=gray scale=1/255 mean=.5 std=.5',
];
const state = inFolder('ranges.state');

async function quantized(from: string, samples = data): Promise<{ graph: Uint8Array; stderr: string }> {
  const out = inFolder('out.onnx');
  // What follows from the table alone.
  const words = ['quantize', digits, '--state', from, ...samples, '--improve', 'none', '--no-report', '-o', out];
  const { exitCode, stderr } = await run(words);
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  return { graph: onnx.GraphProto.encode(onnx.ModelProto.decode(readFileSync(out)).graph!).finish(), stderr };
}

beforeAll(async () => {
  const words = [
    'calibrate',
    digits,
    ...data,
    '--samples',
    '16',
    '--observer',
    'minmax',
    '--threads',
    '1',
    '-o',
    state,
  ];
  expect(await run(words)).toMatchObject({ exitCode: 0 });
});

it('a state needs no samples: the int8 model is the same, and what it is run on is said to be generated', async () => {
  const { graph, stderr } = await quantized(state, []);
  expect(graph).toEqual((await quantized(state)).graph);
  expect(stderr).toContain('RANDOM NUMBERS');
});

describe('export', () => {
  it("onnxruntime's: the same weights, scales and zero points come of it", async () => {
    const table = inFolder('cache.json');
    expect(await run(['export', state, '--as', 'ort-json', '-o', table])).toMatchObject({ exitCode: 0 });
    const [own, imported] = [await quantized(state), await quantized(table)];
    expect(imported.graph).toEqual(own.graph);
    expect(imported.stderr).toContain("ranges of onnxruntime's calibration cache (MinMax)");
  });

  it("TensorRT's: read as ranges around zero, from zero where a tensor is never negative", async () => {
    const table = inFolder('calib.cache');
    expect(await run(['export', state, '--as', 'tensorrt', '-o', table])).toMatchObject({ exitCode: 0 });
    const lines = readFileSync(table, 'utf8').trimEnd().split('\n');
    expect(lines[0]).toBe('TRT-8601-EntropyCalibration2');
    expect(lines).toHaveLength(1 + readState(state).tensors.length);
    expect((await quantized(table)).stderr).toContain("ranges of TensorRT's calibration cache");
  });

  it('tells which tensors a table lacks, and refuses one in which all are lacking', async () => {
    const table = inFolder('few.cache');
    await run(['export', state, '--as', 'tensorrt', '-o', table]);
    const lines = readFileSync(table, 'utf8').split('\n');
    writeFileSync(table, lines.toSpliced(2, 1).join('\n'));
    expect((await quantized(table)).stderr).toMatch(/has no range for 1 of \d+ tensors/);
    writeFileSync(table, `${lines[0]}\nother: 3c010a14\n`);
    expect(await run(['quantize', digits, '--state', table, ...data, '-o', inFolder('x.onnx')])).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('has no range for any tensor that is quantized here'),
    });
  });

  it('refuses a format it does not know, and what is no state', async () => {
    const words = ['export', state, '-o', inFolder('x')];
    expect(await run([...words, '--as', 'tensorr'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("did you mean 'tensorrt'?"),
    });
    expect(await run(words)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--as is missing') });
    expect(await run(['export', digits, '--as', 'tensorrt', '-o', inFolder('x')])).toMatchObject({ exitCode: 3 });
  });
});
