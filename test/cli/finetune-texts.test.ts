/** Fine-tuning a model that reads texts: workers are threads, each with a table of texts of its own. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { saveModel } from '../../src/onnx/model-file.ts';
import { npyFile, zipFile } from '../data/helpers.ts';
import { buildProto, f32, node } from '../support/build.ts';
import { run, runCompiled, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const inFolder = (name: string): string => join(folder, name);
const words = ['ape', 'bee', 'cat', 'dog'];

/** A row of four letters for each sample, and numbers. */
function samples(count: number): Buffer {
  const letters = Uint32Array.from({ length: count * 4 }, (_, i) =>
    words[Math.floor(i / 4) % words.length]!.padEnd(4, '\0').charCodeAt(i % 4),
  );
  const numbers = Float32Array.from({ length: count * 8 }, (_, i) => Math.sin(i * 1.7));
  return zipFile({ 'word.npy': npyFile('<U4', [count], letters), 'x.npy': npyFile('<f4', [count, 8], numbers) });
}

it.each(['1', '2'])('with %s workers', async (workers) => {
  const [model, qat, tuned, data] = ['model.onnx', 'qat.onnx', 'tuned.onnx', 'data.npz'].map(inFolder) as [
    string,
    string,
    string,
    string,
  ];
  writeFileSync(data, samples(32));
  const table = { keys_strings: words, values_int64s: [0, 1, 2, 3], default_int64: 0 };
  const proto = buildProto({
    domains: { 'ai.onnx.ml': 3 },
    inputs: { word: { type: 'string', dims: ['n'] }, x: ['n', 8] },
    initializers: { embedding: f32([4, 8]), w1: f32([8, 16]), w2: f32([16, 4]) },
    nodes: [
      node('LabelEncoder', ['word'], ['i'], table, { domain: 'ai.onnx.ml' }),
      node('Gather', ['embedding', 'i'], ['e']),
      node('Add', ['e', 'x'], ['s']),
      node('MatMul', ['s', 'w1'], ['a']),
      node('Relu', ['a'], ['r']),
      node('MatMul', ['r', 'w2'], ['y']),
    ],
    outputs: ['y'],
  });
  saveModel(proto, model);
  const bits = ['--weight-bits', '4', '--activation-bits', '4'];
  expect(await run(['prepare', model, '--data', data, ...bits, '-o', qat])).toMatchObject({ exitCode: 0 });
  const flags = ['--teacher', model, '--data', data, '--eval', data, '--steps', '8', '--batch', '8'];
  const outcome = await runCompiled(['finetune', qat, ...flags, '--workers', workers, '-o', tuned, '--json']);
  expect(outcome).toMatchObject({ exitCode: 0 });
  const { training, evaluations } = JSON.parse(outcome.stdout) as {
    training: { loss: number }[];
    evaluations: { value: number }[];
  };
  expect(training).toHaveLength(8);
  // The teacher read the same words, or it would not agree with what was made of it.
  expect(evaluations.at(-1)!.value).toBeGreaterThan(0.8);
});
