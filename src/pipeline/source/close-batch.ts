/**
 * Models that declare an open batch and do not run with any, because a Reshape inside wants so many samples: their inputs are given the
 * batch that they take, so that every stage fills it up, or runs one by one, as it does for those that say so themselves.
 */
import { openSession, type Session } from '../../backends/session.ts';
import { inputsOf } from '../../data/model-inputs.ts';
import type { InputInfo } from '../../data/sample.ts';
import { QdqError } from '../../errors/qdq-error.ts';
import { pipelineErrors } from '../../errors/pipeline.ts';
import type { Model } from '../../graph/model.ts';
import { dataType } from '../../onnx/data-types.ts';
import { fixedReshapes, type FixedReshape } from '../../ops/batch-axis.ts';
import { openFlags } from '../samples/samples.ts';

/**
 * @returns what the user should know, if anything was changed
 * @throws FIXED_RESHAPE when the model runs neither with one sample nor with as many as a Reshape wants
 */
export async function closeBatch(model: Model, path: string): Promise<string | undefined> {
  const inputs = inputsOf(model);
  const candidates = fixedReshapes(model.feeds);
  const isClosed = ({ dims }: InputInfo): boolean => dims.slice(1).every((dim) => typeof dim === 'number');
  // Open dimensions besides the batch leave nothing to try.
  if (candidates.length === 0 || !inputs.every(isClosed)) return undefined;
  let session: Session;
  try {
    session = await openSession(model, { level: 'basic', simulate: true }, `'${path}'`);
  } catch {
    // Whoever needs it to run will say so.
    return undefined;
  }
  try {
    const failure = await failureWith(session, inputs, 1);
    const closed = (candidate: FixedReshape, size: number): string => {
      close(model, size);
      return noteOf(candidate, size);
    };
    if (!failure) return (await failureWith(session, inputs, 2)) ? closed(candidates[0]!, 1) : undefined;
    for (const candidate of candidates)
      if (!(await failureWith(session, inputs, candidate.size))) return closed(candidate, candidate.size);
    // Zeros in integer inputs may be at fault as well.
    const meaningful = failure.code === 'BACKEND_RUN' && inputs.every(({ type }) => type.startsWith('float'));
    const blamed = candidates.find(({ size }) => size > 1);
    if (!meaningful || !blamed) return undefined;
    const { node, input, size } = blamed;
    throw pipelineErrors.fixedReshape(path, input.name, node.label, size, failure);
  } finally {
    await session.dispose();
  }
}

function noteOf({ node, input }: FixedReshape, size: number): string {
  const samples = size === 1 ? '1 sample' : `${size} samples`;
  return `input '${input.name}' declares an open batch, but Reshape '${node.label}' fixes it: the model takes ${samples} at a time`;
}

async function failureWith(
  session: Session,
  inputs: readonly InputInfo[],
  size: number,
): Promise<QdqError | undefined> {
  const sized = inputs.map((input) => ({
    ...input,
    dims: input.dims.map((dim, axis) => (axis === 0 && typeof dim !== 'number' ? size : dim)),
  }));
  try {
    const dataset = await openFlags(
      { data: 'random', samples: 1, seed: 0, input: [], carry: [], skipBad: false },
      sized,
    );
    for await (const { inputs: feeds } of dataset.samples([0])) await session.run(feeds);
    return undefined;
  } catch (error) {
    if (error instanceof QdqError) return error;
    throw error;
  }
}

function close(model: Model, size: number): void {
  for (const value of model.feeds) {
    const dims = value.dims!;
    if (typeof dims[0] !== 'number' && dims.length > 0)
      value.setType(dataType(value.type ?? 'float32').code, [size, ...dims.slice(1)]);
  }
}
