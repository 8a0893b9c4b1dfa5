import { join } from 'node:path';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { encodeModel, loadModel, saveModel } from '../../src/onnx/model-file.ts';
import type { ModelProto } from '../../src/onnx/messages.ts';
import { Tensor } from '../../src/onnx/tensor.ts';
import { temporaryFolder } from './wire.ts';

const weights = Float32Array.from({ length: 3000 }, (_, i) => i / 7);
const info = (name: string) => ({
  name,
  type: { tensorType: { elemType: 1, shape: { dim: [{ dimValue: 3000 }] } } },
});

/** y = x + w + v */
const model: ModelProto = {
  irVersion: 8,
  opsetImport: [{ domain: '', version: 17 }],
  graph: {
    name: 'g',
    node: [
      { opType: 'Add', input: ['x', 'w'], output: ['s'] },
      { opType: 'Add', input: ['s', 'v'], output: ['y'] },
    ],
    initializer: ['w', 'v'].map((name) => Tensor.of(name, 'float32', [3000], weights).toProto()),
    input: [info('x')],
    output: [info('y')],
  },
};

async function run(source: string | Uint8Array): Promise<unknown> {
  const session = await InferenceSession.create(source as string);
  const { y } = await session.run({ x: new OrtTensor('float32', new Float32Array(3000).fill(1), [3000]) });
  return y!.data;
}

describe('onnxruntime', () => {
  it('accepts what is encoded and saved, with external data and without', async () => {
    const expected = weights.map((w) => Math.fround(Math.fround(1 + w) + w));
    const folder = temporaryFolder();
    expect(await run(encodeModel(model))).toEqual(expected);
    saveModel(model, join(folder, 'one.onnx'));
    expect(await run(join(folder, 'one.onnx'))).toEqual(expected);
    saveModel(loadModel(join(folder, 'one.onnx')).proto, join(folder, 'two.onnx'), { externalData: 'always' });
    expect(await run(join(folder, 'two.onnx'))).toEqual(expected);
  });
});
