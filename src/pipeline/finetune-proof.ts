/** What fine-tuning writes runs, as users run it: fake quantizers are fused to integer kernels then. */
import { openSession } from '../backends/session.ts';
import type { Model } from '../graph/model.ts';
import type { FinetuneOptions } from '../settings/options.ts';
import { makeScalars } from '../qat/lower.ts';
import { keepFloat } from '../quantized/barrier.ts';
import { uncomputable } from '../quantized/requantize.ts';
import { runOnce, type Samples } from './samples/samples.ts';
import { inputsOf } from './source/source.ts';

/**
 * One scale in a vector of length 1 becomes a scalar, because integer kernels refuse vectors. Scales that training moved so far apart that an integer kernel refuses them, or ends the process, are kept from it; then one sample is
 * run as users run the file, before a byte of it is on disk.
 */
export async function proveItRuns(
  model: Model,
  { threads, model: path }: FinetuneOptions,
  samples: Samples,
): Promise<void> {
  makeScalars(model);
  for (const node of [...model.allNodes()]) if (node.domain === '' && uncomputable(node)) keepFloat(node);
  const session = await openSession(model, { threads }, `the fine-tuned form of '${path}'`);
  try {
    await runOnce(session, inputsOf(model), samples);
  } finally {
    await session.dispose();
  }
}
