/**
 * Add, Sub, Mul and Div with a constant per channel are folded into the Conv, ConvTranspose, Gemm, MatMul or
 * BatchNormalization before them, or else into all of those behind them. A BatchNormalization that was written as Mul
 * and Add vanishes this way, and so does the normalization of an input.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { broadcasts, constantOperand, perChannel, type ChannelAxis, type ConstantOperand } from './affine.ts';
import { batchNormOf, foldBeforeBatchNorm, foldBehindBatchNorm } from './batch-norm.ts';
import { absorb, neededElsewhere, readersOf } from './edit.ts';
import { createFacts, type Facts } from '../graph/facts.ts';
import { applyFold, foldBefore, foldBehind, foldForward, isLinear, layerOf, type Fold } from './layer.ts';
import type { Pass } from './pass.ts';

export const affineFold: Pass = {
  name: 'affine-fold',
  summary: 'Add, Sub, Mul and Div with constants are folded into the layer or BatchNormalization before or behind them',
  run(model, context) {
    const facts = createFacts();
    let changed = false;
    for (const node of model.allNodes()) {
      const operand = constantOperand(node, model.opset);
      if (!operand) continue;
      const label = node.label;
      if (endsGelu(operand)) {
        context.refused(label, 'it ends a Gelu in primitive form, which onnxruntime fuses as it stands');
        continue;
      }
      const reasons: string[] = [];
      for (const attempt of [intoProducer, intoReaders]) {
        const result = attempt(operand, model.opset, facts);
        if (typeof result === 'string') reasons.push(result);
        if (typeof result !== 'object') continue;
        context.applied(attempt === intoProducer ? [...result, label] : [label, ...result], result[0]);
        reasons.length = 0;
        changed = true;
        break;
      }
      if (reasons.length > 0) context.refused(label, reasons.join('; '));
    }
    return changed;
  },
};

/** The constant ½ of ½x(1 + erf(…)) or ½x(1 + tanh(…)): without it neither this tool nor onnxruntime would know a Gelu. */
function endsGelu({ node, x }: ConstantOperand): boolean {
  const before = (value: Value | undefined): Node[] =>
    (value?.producer?.inputs ?? []).flatMap((input) => (input?.producer ? [input.producer] : []));
  return (
    node.is('Mul') &&
    x.producer?.is('Mul') === true &&
    before(x).some((sum) => sum.is('Add') && before(sum.output()).some((inner) => inner.is('Erf', 'Tanh')))
  );
}

/** Labels of the nodes that took the map over; or why they did not, nothing changed; or undefined: there are none. */
type Attempt = (operand: ConstantOperand, opset: number, facts: Facts) => string[] | string | undefined;

function isHost(node: Node): boolean {
  return isLinear(node) || node.is('BatchNormalization');
}

const intoProducer: Attempt = (operand, opset, facts) => {
  const host = operand.x.producer;
  if (!host || !isHost(host) || host.output() !== operand.x) return undefined;
  const needed = neededElsewhere(host, operand.node);
  if (needed !== undefined) return needed;
  const behind = host.is('BatchNormalization') ? behindBatchNorm : behindLayer;
  const fold = behind(operand, host, opset, facts);
  if (typeof fold === 'string') return fold;
  applyFold(fold);
  absorb(host, operand.node);
  return [host.label];
};

function behindLayer(operand: ConstantOperand, host: Node, opset: number, facts: Facts): Fold | string {
  const layer = layerOf(host, opset, facts);
  if (typeof layer === 'string') return layer;
  const map = perChannel(operand, { channels: layer.outputs, axis: layer.axis, rank: layer.rank });
  return typeof map === 'string' ? map : foldBehind(layer, map);
}

function behindBatchNorm(operand: ConstantOperand, bn: Node, opset: number, facts: Facts): Fold | string {
  const norm = batchNormOf(bn, opset);
  if (typeof norm === 'string') return norm;
  const map = perChannel(operand, axisOf(bn, norm.gain.length, facts));
  return typeof map === 'string' ? map : foldBehindBatchNorm(bn, norm, map);
}

const intoReaders: Attempt = (operand, opset, facts) => {
  const readers = readersOf(operand.node, isHost);
  if (typeof readers === 'string') return readers;
  if (readers.length === 0) return undefined;
  const reason = foldForward(operand.node, readers, (reader) => {
    const before = reader.is('BatchNormalization') ? beforeBatchNorm : beforeLayer;
    return before(operand, reader, opset, facts);
  });
  return reason ?? readers.map((reader) => reader.label);
};

function beforeLayer(operand: ConstantOperand, host: Node, opset: number, facts: Facts): Fold | string {
  const layer = layerOf(host, opset, facts);
  if (typeof layer === 'string') return layer;
  const map = mapInFront(operand, { channels: layer.inputs, axis: layer.axis, rank: layer.rank }, facts);
  return typeof map === 'string' ? map : foldBefore(layer, map);
}

function beforeBatchNorm(operand: ConstantOperand, bn: Node, opset: number, facts: Facts): Fold | string {
  const norm = batchNormOf(bn, opset);
  if (typeof norm === 'string') return norm;
  const map = mapInFront(operand, axisOf(bn, norm.gain.length, facts), facts);
  return typeof map === 'string' ? map : foldBeforeBatchNorm(bn, norm, map);
}

function mapInFront(operand: ConstantOperand, axis: ChannelAxis, facts: Facts): ReturnType<typeof perChannel> {
  return broadcasts(operand, axis, facts) ?? perChannel(operand, axis);
}

/** Axis 1 counted from the end: no axis at all while the rank is unknown, and then only a single number fits. */
function axisOf(bn: Node, channels: number, facts: Facts): ChannelAxis {
  const { rank } = facts.of(bn.input(0));
  return { channels, axis: rank === undefined ? NaN : 1 - rank, rank };
}
