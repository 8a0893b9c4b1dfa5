/**
 * What a form left float goes back to float16, where the model that came in was: the operators of weight-only take it, and the rest
 * of a half-sized model is not to grow. In place.
 */
import type { Model } from '../../graph/model.ts';
import type { Value } from '../../graph/value.ts';
import { convertToHalf } from './convert.ts';
import { floatValues, reasonForFloat } from './precision.ts';

/** @param singles names of the tensors that were float32 in that model, and stay so */
export function narrowBack(model: Model, singles: ReadonlySet<string>): void {
  const values = floatValues(model);
  const { isFloat, isMask } = values;
  // What is still in the file fitted float16 before, and what is made on demand is not made for a look at it.
  const looked = ({ constant }: Value): boolean => !constant || constant.payload() instanceof Uint8Array;
  const kept = [...model.allNodes()].filter(
    (node) =>
      node.outputs.some((value) => value && singles.has(value.name)) ||
      reasonForFloat(node, { isFloat: (value) => isFloat(value) && looked(value), isMask }, new Map()) !== undefined,
  );
  convertToHalf(model, values, new Set(kept), true);
}
