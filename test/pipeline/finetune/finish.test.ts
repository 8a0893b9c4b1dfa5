/** Scales that training moved too far apart: the written model runs all the same, and computes what it simulates. */
import { expect, it } from 'vitest';
import type { Sample } from '../../../src/data/sample.ts';
import { checkModel } from '../../../src/graph/spec.ts';
import { proveItRuns } from '../../../src/pipeline/finetune-proof.ts';
import { withDefaults } from '../../../src/settings/library.ts';
import { datasetOf } from '../../calibrate/samples.ts';
import { Network } from '../../qat/foreign-models.ts';
import { run, steps } from '../../quantized/support.ts';

it.each([1e-9, 1e9])('a pool whose output scale is 1 / %d of its input scale', async (ratio) => {
  const network = new Network();
  const pool = network.add('GlobalAveragePool', [network.act('x', 0.03)], 'p');
  const scale = 0.03 / ratio;
  const { model, feeds } = network.done([1, 4, 8, 8], network.act(pool, scale), [1, 4, 1, 1]);
  const before = (await run(model, feeds, { simulate: true })).outputs['p_d']!;
  const sample: Sample = { id: 'one', inputs: feeds };
  const options = withDefaults('finetuneModel', { model: 'tuned.onnx', output: 'out.onnx', threads: 1 });
  await proveItRuns(model, options, { dataset: datasetOf([sample]), selection: [0] });
  checkModel(model);
  const { outputs, types } = await run(model, feeds);
  expect(types).toContain('GlobalAveragePool');
  expect(steps(before, outputs['p_d']!, scale)).toBeLessThan(1.01);
});
