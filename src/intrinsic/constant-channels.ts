/**
 * Channels that a layer does not compute: all their weights are 0, as pruning leaves them, and what comes out is the bias, everywhere.
 * What a layer behind makes of such a constant goes into its bias, and the weights that multiply it become 0: the same values, but in
 * few bits these weights no longer widen the scale of the others, and the constant is not rounded.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { specOf } from '../ops/index.ts';
import { doubles } from './edit.ts';
import { createFacts, type Facts } from '../graph/facts.ts';
import { applyFold, channelMagnitudes, foldBefore, isLinear, isPadded, layerOf, type Layer } from './layer.ts';
import type { Pass } from './pass.ts';

/** Beyond this a weight is not read: language models are not pruned so, and lie in files that are larger than memory. */
const largestWeight = 2 ** 26;

export const constantChannels: Pass = {
  name: 'constant-channels',
  summary: 'channels whose weights are all 0 go into the bias of the layers behind them',
  run(model, { applied, refused }) {
    const facts = createFacts();
    let changed = false;
    for (const node of model.allNodes()) {
      const constants = constantsOf(node, model.opset, facts);
      if (!constants) continue;
      for (const reader of readersBehind(node, constants)) {
        const outcome = absorbConstants(reader.node, reader.constants, model.opset, facts);
        if (typeof outcome === 'string') refused(reader.node.label, outcome);
        if (outcome !== true) continue;
        applied([node.label, reader.node.label], reader.node.label);
        changed = true;
      }
    }
    return changed;
  },
};

function layerAt(node: Node, opset: number, facts: Facts): Layer | undefined {
  if (!isLinear(node) || (node.constant(1)?.byteLength ?? Infinity) > largestWeight) return undefined;
  const layer = layerOf(node, opset, facts);
  return typeof layer === 'string' ? undefined : layer;
}

/** The value of each output channel that is constant, NaN for the others; undefined when there is none. */
function constantsOf(node: Node, opset: number, facts: Facts): Float64Array | undefined {
  if (!node.is('Conv', 'ConvTranspose', 'Gemm') || node.int('transA', 0) !== 0) return undefined;
  const layer = layerAt(node, opset, facts);
  if (!layer || (node.input(2) && !node.constant(2))) return undefined;
  const bias = node.constant(2) ? doubles(node.constant(2)!) : new Float64Array(layer.outputs);
  if (bias.length !== layer.outputs || node.float('beta', 1) !== 1) return undefined;
  const magnitudes = channelMagnitudes(layer, 'outputs');
  if (!magnitudes.includes(0)) return undefined;
  return magnitudes.map((most, channel) => (most === 0 ? bias[channel]! : NaN));
}

/** Layers that read the result, directly or behind limits (Relu, Clip), which the constants pass too. */
function readersBehind(node: Node, constants: Float64Array): { node: Node; constants: Float64Array }[] {
  const found: { node: Node; constants: Float64Array }[] = [];
  const visit = (value: Value, through: Float64Array): void => {
    for (const user of value.users.keys()) {
      if (user.input(0) !== value || value.users.get(user) !== 1 || user.graph !== node.graph) continue;
      const limits = specOf(user)?.clamp?.(user);
      if (limits) {
        visit(
          user.output()!,
          through.map((each) => Math.min(Math.max(each, limits.min), limits.max)),
        );
      } else if (isLinear(user)) found.push({ node: user, constants: through });
    }
  };
  visit(node.output()!, constants);
  return found;
}

/** True when weights changed; the reason why they could not, or undefined: they are 0 already. */
function absorbConstants(node: Node, constants: Float64Array, opset: number, facts: Facts): true | string | undefined {
  const layer = layerAt(node, opset, facts);
  if (!layer || layer.inputs !== constants.length || node.int('transA', 0) !== 0) return undefined;
  // A constant other than 0 is not one at the border, where zeros stand around the image.
  const movable = !node.is('ConvTranspose') && !isPadded(layer);
  const magnitudes = channelMagnitudes(layer, 'inputs');
  const absorbed = magnitudes.map((most, channel) => {
    const value = constants[channel]!;
    return most > 0 && (value === 0 || (movable && Number.isFinite(value))) ? 1 : 0;
  });
  if (!absorbed.includes(1)) return undefined;
  const fold = foldBefore(layer, {
    gain: absorbed.map((is) => 1 - is),
    shift: absorbed.map((is, channel) => (is === 1 ? constants[channel]! : 0)),
  });
  if (typeof fold === 'string') return fold;
  applyFold(fold);
  return true;
}
