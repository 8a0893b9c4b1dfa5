/** Which of the two models cannot be run is said of that one. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { backendErrors } from '../../src/errors/backends.ts';
import { quantizeModel } from '../../src/index.ts';
import { encodeModel } from '../../src/onnx/model-file.ts';
import { blamingFloat } from '../../src/pipeline/float-first.ts';
import { judgingSamples } from '../../src/pipeline/samples/generated.ts';
import { inputsOf } from '../../src/pipeline/source/source.ts';
import { buildModel, buildProto, f32, i64, node, type ModelSpec } from '../support/build.ts';

const folder = mkdtempSync(join(tmpdir(), 'qdq-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** It loads; picking column `index` of 8 fails when it runs, if there is none. */
const picking = (index: number): ModelSpec => ({
  inputs: { x: ['n', 16], k: { type: 'int64', dims: [1] } },
  outputs: ['y'],
  initializers: { w: f32([16, 8]), add: i64([index]) },
  nodes: [
    node('MatMul', ['x', 'w'], ['m']),
    node('Sub', ['k', 'k'], ['zero']),
    node('Add', ['zero', 'add'], ['at']),
    node('Gather', ['m', 'at'], ['y'], { axis: 1 }),
  ],
});

function written(name: string, spec: ModelSpec): string {
  const path = join(folder, name);
  writeFileSync(path, encodeModel(buildProto(spec)));
  return path;
}

it.each([
  ['dynamic', true],
  ['dynamic', false],
  ['qdq', false],
] as const)('a float model that cannot be run is named (--format %s, report: %s)', async (format, report) => {
  const model = written('broken.onnx', picking(99));
  const output = join(folder, 'out.onnx');
  const made = quantizeModel({
    model,
    output,
    format,
    data: 'random',
    samples: 4,
    ...(report ? {} : { report: false }),
  });
  await expect(made).rejects.toMatchObject({
    code: 'BACKEND_RUN',
    message: expect.stringContaining(`the float model '${model}'`),
  });
  expect(existsSync(output)).toBe(false);
});

it('a form that cannot be run is at fault where the float model can', async () => {
  const path = written('whole.onnx', picking(3));
  const model = buildModel(picking(3));
  const options = { data: 'random', samples: 4, threads: 1 } as never;
  const { evaluation } = await judgingSamples(options, path, inputsOf(model));
  const failure = backendErrors.load('the quantized form', new Error('no kernel'));
  const work = blamingFloat(Promise.reject(failure), { path, model, threads: 1 }, evaluation);
  await expect(work).rejects.toBe(failure);
});
