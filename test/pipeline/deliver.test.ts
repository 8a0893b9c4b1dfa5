/** A large model is written beside its place, proven there and moved; a refused one leaves nothing behind. */
import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import { loadModel, saveModel } from '../../src/onnx/model-file.ts';
import { deliver } from '../../src/pipeline/deliver.ts';
import { openFlags } from '../../src/pipeline/samples/samples.ts';
import { buildModel, buildProto, f32, node } from '../support/build.ts';

async function setUp() {
  const folder = mkdtempSync(join(tmpdir(), 'qdq-deliver-'));
  const model = join(folder, 'float.onnx');
  const spec = {
    inputs: { x: [1, 64] },
    outputs: { y: [1, 64] },
    initializers: { w: f32([64, 64]) },
    nodes: [node('MatMul', ['x', 'w'], ['y'])],
  };
  saveModel(buildProto(spec), model);
  const dataset = await openFlags({ data: 'random', seed: 0, input: [], carry: [], skipBad: false }, [
    { name: 'x', type: 'float32', dims: [1, 64] },
  ]);
  const output = join(folder, 'out.onnx');
  const options = { model, output, threads: 1, externalData: 'always' as const };
  return { folder, spec, options, source: loadModel(model), samples: { dataset, selection: { from: 0, to: 1 } } };
}

it.each([true, false])('beside, then moved, with its data outside (run: %s)', async (runs) => {
  const { folder, spec, options, source, samples } = await setUp();
  const limits = { inMemory: 0, byRunning: runs ? Infinity : 0 };
  const saved = await deliver(buildModel(spec), source, options, samples, limits);
  expect(saved).toMatchObject({ path: options.output, dataPath: `${options.output}.data`, ran: runs });
  expect(readdirSync(folder).sort()).toEqual(['float.onnx', 'out.onnx', 'out.onnx.data']);
  const { proto, dir } = loadModel(options.output);
  const weight = modelFromProto(proto, dir).graph.values.get('w')!.initializer!.floats();
  expect([...weight]).toEqual([...spec.initializers.w.data]);
});

it('in one file, where it fits into one and nobody asks for two', async () => {
  const { folder, spec, options, source, samples } = await setUp();
  const auto = { ...options, externalData: 'auto' as const };
  const saved = await deliver(buildModel(spec), source, auto, samples, { inMemory: 0, byRunning: Infinity });
  expect(saved.dataPath).toBeUndefined();
  expect(readdirSync(folder).sort()).toEqual(['float.onnx', 'out.onnx']);
});

it('leaves nothing behind when onnxruntime refuses the model, and never writes over an input', async () => {
  const { folder, spec, options, source, samples } = await setUp();
  const limits = { inMemory: 0, byRunning: 0 };
  const wrong = buildModel({ ...spec, nodes: [node('NoSuchOperator', ['x', 'w'], ['y'])] });
  await expect(deliver(wrong, source, options, samples, limits)).rejects.toMatchObject({
    code: 'BACKEND_OWN_FORM',
    kind: 'internal',
  });
  const over = { ...options, output: options.model };
  await expect(deliver(buildModel(spec), source, over, samples, limits)).rejects.toMatchObject({ kind: 'usage' });
  expect(readdirSync(folder)).toEqual(['float.onnx']);
});
