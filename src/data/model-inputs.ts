/** What samples have to bring for a model, and along which axis of each input they lie side by side. */
import type { Model } from '../graph/model.ts';
import { batchAxis } from '../ops/batch-axis.ts';
import type { InputInfo } from './sample.ts';

export function inputsOf(model: Model): InputInfo[] {
  return model.feeds.map((value) => {
    const axis = batchAxis(value);
    return {
      name: value.name,
      // onnxruntime-node has no bfloat16: such a model is run in its widened form.
      type: value.type === 'bfloat16' ? 'float32' : (value.type ?? 'float32'),
      dims: value.dims ?? [],
      ...(axis !== undefined && axis > 0 && { batchAxis: axis }),
    };
  });
}

/** Where samples lie along another axis than the first, by input. */
export function batchAxesOf(inputs: readonly InputInfo[]): ReadonlyMap<string, number> {
  return new Map(inputs.flatMap(({ name, batchAxis: axis }) => (axis === undefined ? [] : [[name, axis] as const])));
}
