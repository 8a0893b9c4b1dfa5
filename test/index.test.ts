/** The public names: a change here is a change of the library's promise. */
import { expect, it } from 'vitest';
import * as qdq from '../src/index.ts';
import { withDefaults } from '../src/settings/library.ts';

it('exports what it promises and nothing else', () => {
  expect(Object.keys(qdq).sort()).toEqual([
    'QdqError',
    'calibrateModel',
    'compareModels',
    'convertModel',
    'describeBackends',
    'examine',
    'explainModel',
    'explainPair',
    'exportCalibration',
    'finetuneModel',
    'fromOnnxProto',
    'fuseModel',
    'inspectModel',
    'lintModel',
    'loadModel',
    'makeVariants',
    'measureSensitivity',
    'mergeCalibrations',
    'prepareModel',
    'quantizeFinetuned',
    'quantizeModel',
    'saveModel',
    'version',
  ]);
});

it('fills in what the command line fills in', () => {
  expect(withDefaults('fuseModel', { model: 'a', output: 'b', seed: 3 })).toMatchObject({
    model: 'a',
    output: 'b',
    seed: 3,
    skip: [],
    externalData: 'auto',
    threads: expect.any(Number),
  });
});

it('refuses an option that it does not know, and names the one that was meant', async () => {
  const refusal = async (name: keyof typeof qdq, options: object): Promise<qdq.QdqError> => {
    try {
      const functions = new Map<string, unknown>(Object.entries(qdq));
      await (functions.get(name) as (options: object) => unknown)(options);
    } catch (error) {
      return error as qdq.QdqError;
    }
    throw new Error('nothing was refused');
  };
  const files = { model: 'a.onnx', output: 'b.onnx' };
  expect(await refusal('quantizeModel', { ...files, observr: 'mse' })).toMatchObject({
    code: 'OPTION_UNKNOWN',
    message: "quantizeModel has no option 'observr'",
    hint: "did you mean 'observer'?",
  });
  expect((await refusal('prepareModel', { ...files, format: 'qdq' })).hint).toBe('it is an option of quantizeModel');
  expect((await refusal('mergeCalibrations', { states: [], output: 'b', gate: [] })).code).toBe('OPTION_UNKNOWN');
  expect((await refusal('makeVariants', { ...files, for: 'transformers.js', zzzzzzzz: 1 })).hint).toContain(
    'preprocess',
  );
  // Known ones go on to where they are read.
  expect((await refusal('fuseModel', { ...files, opset: undefined, seed: 1 })).code).toBe('ONNX_NOT_FOUND');
});
