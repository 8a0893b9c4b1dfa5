/**
 * Which of the two models is at fault: a float model that cannot be run is said to be so, before the work of quantizing it where that
 * is long, and not blamed on what was made of it.
 */
import { withFloat32Ports } from '../backends/other-forms.ts';
import { openSession } from '../backends/session.ts';
import { openModel } from '../compare/models.ts';
import { QdqError } from '../errors/qdq-error.ts';
import { customNodes, type Model } from '../graph/model.ts';
import { runOnce, type Samples } from './samples/samples.ts';
import { inputsOf } from './source/source.ts';

export interface FloatModel {
  readonly path: string;
  /** As it was read and fused; of it only the inputs and the operators are looked at. */
  readonly model: Model;
  readonly threads: number;
}

/** Loads and runs it, as it lies in the file, unless it takes a library of the user's. @throws BACKEND_LOAD, BACKEND_RUN */
export async function runFloat({ path, model, threads }: FloatModel, samples: Samples): Promise<void> {
  if (customNodes(model).length > 0) return;
  const session = withFloat32Ports(await openSession(openModel(path).source, { threads }, `the float model '${path}'`));
  try {
    await runOnce(session, inputsOf(model), samples);
  } finally {
    await session.dispose();
  }
}

/** @throws what the work throws or, where the runtime fails in it, what it says of the float model, if it fails there too */
export async function blamingFloat<T>(work: Promise<T>, float: FloatModel, samples: Samples): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const failed = error instanceof QdqError && (error.code === 'BACKEND_LOAD' || error.code === 'BACKEND_RUN');
    if (failed) await runFloat(float, samples);
    throw error;
  }
}
