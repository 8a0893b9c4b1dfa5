/**
 * Constant channels, looked at once more. That a channel's maximum is the same in every sample may be the doing of its border,
 * where zeros are padded, or of a limit; one sample in which the channel varies tells. One inference, and only where there is
 * something to confirm.
 */
import type { SessionOptions } from '../backends/session-options.ts';
import { openSession } from '../backends/session.ts';
import { feedsOfOne } from '../data/batch.ts';
import { inputsOf } from '../data/model-inputs.ts';
import type { Dataset, Selection } from '../data/sample.ts';
import { copyModel } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import type { Health } from './health.ts';
import { activationFinder, setOutputs } from './probe.ts';

/** @param model of which `health` is; the samples are its own, or others */
export async function confirmed(
  health: Health | undefined,
  model: Model,
  dataset: Dataset,
  selection: Selection,
  options: SessionOptions,
): Promise<Health | undefined> {
  if (!health || health.constant.length === 0) return health;
  const copy = copyModel(model);
  const find = activationFinder(copy);
  setOutputs(
    copy.graph,
    health.constant.map(({ tensor }) => find(tensor)),
  );
  const session = await openSession(copy, { ...options, simulate: true, onFallback: () => undefined });
  try {
    for await (const sample of dataset.samples(selection, () => {})) {
      const results = await session.run(feedsOfOne(sample, inputsOf(model), dataset));
      const constant = health.constant.flatMap(({ tensor, which, ...rest }) => {
        const left = which.filter((channel) => isConstant(results[tensor]!, channel));
        return left.length > 0 ? [{ ...rest, tensor, channels: left.length, which: left }] : [];
      });
      return { ...health, constant };
    }
  } finally {
    await session.dispose();
  }
  return health;
}

/** @param value [N, C, H, W] */
function isConstant({ dims, data }: TensorValue, channel: number): boolean {
  const area = dims[2]! * dims[3]!;
  const plane = (data as Float32Array).subarray(channel * area, (channel + 1) * area);
  return plane.every((element) => element === plane[0]);
}
