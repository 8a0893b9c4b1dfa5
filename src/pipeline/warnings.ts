/** What a user should know of how the int8 model came about, one line each. */
import type { Target } from '../backends/targets/target.ts';
import { missingShards } from '../calibrate/merge.ts';
import type { CalibrationState } from '../calibrate/state.ts';
import type { Model } from '../graph/model.ts';
import { observedTensors, type Plan } from '../quantizable/plan.ts';
import type { Quantized } from '../quantized/format.ts';
import { lint } from '../quantized/lint/index.ts';

/** The fused float model held quantizers already. */
export function keptWarnings(model: Model): string[] {
  const kept = [...model.allNodes()].filter((node) => node.is('QuantizeLinear', 'DequantizeLinear')).length;
  return kept === 0
    ? []
    : [`the model already holds ${kept} QuantizeLinear/DequantizeLinear nodes: they are kept as they are`];
}

/** Tensors whose ranges would have been looked at, had there been samples. */
export function unobservedWarnings(wanted: Plan): string[] {
  return observedTensors(wanted).length === 0
    ? []
    : ['without samples the ranges of activations were not checked: give --data to find those that do not fit'];
}

/** Regions that were planned and then given up because the samples gave no range. */
export function rangeWarnings(wanted: Plan, plan: Plan): string[] {
  const lost = wanted.regions.length - plan.regions.length;
  if (lost <= 0) return [];
  return [
    `${lost} region(s) stay float because a tensor was zero, empty or never computed with every sample ('qdq explain' lists them)`,
  ];
}

export function repairWarnings(repaired: Quantized['repaired']): string[] {
  const channels = repaired.reduce((sum, { channels: n }) => sum + n, 0);
  if (channels === 0) return [];
  return [
    `${channels} weight channel(s) in ${repaired.length} tensor(s) got a larger scale so that their bias fits int32`,
  ];
}

/** The rules of the target that the model breaks all the same: parts that were quantized before, or asked for by name. */
export function lintWarnings(model: Model, target: Target): string[] {
  return lint(model, target).map(({ rule, node, tensor, message, remedy }) => {
    const place = [node && `'${node}'`, tensor && tensor !== node && `'${tensor}'`].filter(Boolean).join(', tensor ');
    return `${target.name} rule ${rule}${place === '' ? '' : ` at ${place}`}: ${message} (${remedy})`;
  });
}

export function notRun(bytes: number): string {
  return `the model of ${(bytes / 1e9).toFixed(1)} GB was loaded, with its weights left in the file, and not run`;
}

export function notCompared(bytes: number): string {
  return `there is no report: running the float model of ${(bytes / 1e9).toFixed(1)} GB needs more memory than this machine has ('qdq compare' makes one where it fits)`;
}

/** The ranges are those of a few shards only. */
export function shardWarnings({ shards }: CalibrationState): string[] {
  if (!shards) return [];
  const missing = missingShards(shards.count, shards.parts).map((index) => `${index}/${shards.count}`);
  return [`the calibration state lacks the samples of shard ${missing.join(', ')} ('qdq merge' joins shards)`];
}
