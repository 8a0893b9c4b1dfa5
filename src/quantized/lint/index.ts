/**
 * Lint: a finished model against the rules of a target. `quantize` holds its own output to them; `qdq lint` any model, whoever
 * made it. To add a rule: write it in `rules/` and list it here; it asks the target's data, never its name.
 */
import type { Target } from '../../backends/targets/target.ts';
import type { Model } from '../../graph/model.ts';
import { asLoaded } from '../dequantize.ts';
import { findQuantizers, type LintFinding, type LintRule } from './rule.ts';
import { bias, biasScale, weightAxis } from './rules/layers.ts';
import { fixedParameters, scaleRatio, scales } from './rules/scales.ts';
import { format, opset, operators, placement, readers, weightForm } from './rules/placement.ts';
import { activationSymmetry, activationType, perChannel, weightSymmetry, weightType } from './rules/types.ts';

/** Every rule, in the order of findings. */
export const rules: readonly LintRule[] = [
  format,
  opset,
  scales,
  scaleRatio,
  activationType,
  activationSymmetry,
  weightType,
  weightSymmetry,
  perChannel,
  weightAxis,
  bias,
  biasScale,
  weightForm,
  readers,
  placement,
  operators,
  fixedParameters,
];

/** Where the model breaks the target's rules, rule by rule; empty when it keeps them all. */
export function lint(written: Model, target: Target): LintFinding[] {
  const model = asLoaded(written);
  const subject = { model, target, quantizers: findQuantizers(model) };
  return rules.flatMap((rule) =>
    [...rule.check(subject)].map(({ node, tensor, message, remedy }) => ({
      rule: rule.id,
      node,
      tensor,
      message,
      remedy,
    })),
  );
}

/** The rules that demand something of this target, with their words. */
export function rulesOf(target: Target): { readonly id: string; readonly text: string }[] {
  return rules.flatMap((rule) => {
    const text = rule.text(target);
    return text === undefined ? [] : [{ id: rule.id, text }];
  });
}
