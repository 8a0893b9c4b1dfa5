/**
 * Results that are constant although they depend on the input: Softmax over an axis of one, and channels whose weights are all 0.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { specOf } from '../ops/index.ts';
import { doubles, isFloatType, makeConstant, roundTo } from './edit.ts';
import { createFacts, type Facts } from '../graph/facts.ts';
import { applyFold, channelMagnitudes, foldBefore, isLinear, isPadded, layerOf, type Layer } from './layer.ts';
import { nodePass, type Pass } from './pass.ts';
import { elementCount } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { infiniteValues } from '../ops/infinite.ts';

/** Elements of a constant result; a larger one is made when the model runs. */
const most = 2 ** 16;

/**
 * Softmax over an axis of one is 1 everywhere, LogSoftmax 0, whatever is finite in their input. Of infinity both make NaN, so that
 * an input which holds some on purpose stays.
 */
export const loneSoftmax: Pass = {
  name: 'lone-softmax',
  summary: 'Softmax and LogSoftmax over an axis of one become their constant result',
  run(model, context) {
    const lone = (facts: Facts): Node[] =>
      [...model.allNodes()].filter((node) => node.is('Softmax', 'LogSoftmax') && isOverOne(node, facts, model.opset));
    const found = lone(createFacts());
    if (found.length === 0) return false;
    const infinite = infiniteValues(model);
    let changed = false;
    for (const node of found) {
      const held = infinite.get(node.input(0)!);
      if (held) {
        const reason = `its input holds infinity from constant '${held.constant}', of which it makes NaN`;
        context.refused(node.label, reason);
        continue;
      }
      if (!fold(node, createFacts(), model.opset)) continue;
      context.applied([node.label]);
      changed = true;
    }
    return changed;
  },
};

/** Below operator set 13 all axes from the given one on were one. */
function isOverOne(node: Node, facts: Facts, opset: number): boolean {
  const dims = facts.of(node.input(0)).dims;
  const axis = node.int('axis', opset < 13 ? 1 : -1);
  if (!dims || axis < -dims.length || axis >= dims.length) return false;
  const first = axis < 0 ? axis + dims.length : axis;
  return dims.slice(first, opset < 13 ? undefined : first + 1).every((size) => size === 1);
}

function fold(node: Node, facts: Facts, opset: number): boolean {
  const [input, output] = [node.input(0)!, node.output()!];
  const { dims, type } = facts.of(input);
  if (type === undefined || !isFloatType(type)) return false;
  const filled = (length: number): ReturnType<typeof roundTo> =>
    roundTo(type, new Float64Array(length).fill(node.is('Softmax') ? 1 : 0));
  const sizes = dims!.filter((size) => typeof size === 'number');
  if (sizes.length === dims!.length && elementCount(sizes) <= most) {
    makeConstant(output, Tensor.of(output.name, type, sizes, filled(elementCount(sizes))));
    return true;
  }
  if (opset < 9) return false;
  const graph = node.graph!;
  const shape = graph.makeNode('Shape', [input], { name: `${node.label}_shape`, outputs: [`${output.name}_shape`] });
  graph.insertBefore(shape, node);
  const fill = graph.makeNode('ConstantOfShape', [shape.output()!], { name: node.label, outputs: [] });
  fill.setTensor('value', Tensor.of('', type, [1], filled(1)));
  graph.insertBefore(fill, node);
  node.setOutput(0, null);
  fill.setOutput(0, output);
  graph.remove(node);
  return true;
}

/** Beyond this a weight is not read: language models are not pruned so, and lie in files that are larger than memory. */
const largestWeight = 2 ** 26;

/**
 * Channels that a layer does not compute: all their weights are 0, as pruning leaves them, and what comes out is the bias, everywhere.
 * What a layer behind makes of such a constant goes into its bias, and the weights that multiply it become 0: the same values, but in
 * few bits these weights no longer widen the scale of the others, and the constant is not rounded.
 */
export const constantChannels = nodePass(
  'constant-channels',
  'channels whose weights are all 0 go into the bias of the layers behind them',
  (node, { opset, facts }, { applied, refused }) => {
    const constants = constantsOf(node, opset, facts);
    let changed = false;
    for (const reader of constants ? readersBehind(node, constants) : []) {
      const outcome = absorbConstants(reader.node, reader.constants, opset, facts);
      if (typeof outcome === 'string') refused(reader.node.label, outcome);
      if (outcome !== true) continue;
      applied([node.label, reader.node.label], reader.node.label);
      changed = true;
    }
    return changed;
  },
);

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
