/** The public names: a change here is a change of the library's promise. */
import { expect, it } from 'vitest';
import * as qdq from '../src/index.ts';
import { withDefaults } from '../src/defaults.ts';
import type { FuseOptions } from '../src/pipeline-types.ts';

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
  expect(withDefaults<FuseOptions>({ model: 'a', output: 'b', seed: 3 })).toMatchObject({
    model: 'a',
    output: 'b',
    seed: 3,
    skip: [],
    externalData: 'auto',
    threads: expect.any(Number),
  });
});
