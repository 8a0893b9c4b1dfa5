/**
 * BatchNormalization is folded into the layer before it, else into the layers behind it; one that no layer takes up becomes a Mul or an Add
 * where it does only one of the two.
 */
import type { Node } from '../graph/node.ts';
import { affineOfBatchNorm, batchNormOf } from './batch-norm.ts';
import { fits, isFloatType, roundTo, setConstant, handOver, absorb, neededElsewhere } from './edit.ts';
import { nodePass, rulePass, type Surroundings } from './pass.ts';
import { foldBefore, foldForward, isLinear, layerOf, notMatrix, applyFold, foldBehind } from './layer.ts';

/**
 * BatchNormalization behind a layer is folded into its weight and bias, per output channel, in float64, rounded once:
 *
 *   W' = W · gain, b' = (b - mean) · gain + beta
 *
 * The layer keeps its name and takes over the output of the BatchNormalization.
 */
export const convBn = rulePass(
  'conv-bn',
  'BatchNormalization is folded into the Conv, ConvTranspose, Gemm or MatMul before it',
  (bn, around) => {
    if (!bn.is('BatchNormalization')) return undefined;
    const host = bn.input(0)?.producer;
    return { nodes: host ? [host, bn] : [bn], apply: () => foldIntoHost(bn, host, around) };
  },
);

/** Folds, or returns the reason why not, having changed nothing. */
function foldIntoHost(bn: Node, host: Node | undefined, { opset, facts }: Surroundings): string | undefined {
  const x = bn.input(0);
  if (!x || !host) return 'its input is not the result of a convolution or linear layer';
  if (!host.is('Conv', 'ConvTranspose', 'Gemm', 'MatMul')) return `its input comes from ${host.opType} '${host.label}'`;
  const needed = neededElsewhere(host, bn);
  if (needed !== undefined) return needed;
  const norm = batchNormOf(bn, opset);
  if (typeof norm === 'string') return norm;
  const layer = layerOf(host, opset, facts);
  if (typeof layer === 'string') return layer;
  // Axis 1, which BatchNormalization takes for the channels, is the last one only in a matrix.
  const broad = notMatrix(layer);
  if (broad !== undefined) return broad;
  const { outputs } = layer;
  if (outputs !== norm.gain.length) return `it has ${norm.gain.length} channels, '${host.label}' has ${outputs}`;
  const folded = foldBehind(layer, affineOfBatchNorm(norm));
  if (typeof folded === 'string') return folded;
  applyFold(folded);
  absorb(host, bn);
  return undefined;
}

/**
 * BatchNormalization in front of Conv, ConvTranspose, Gemm or MatMul (pre-activation without the activation) is folded
 * into the weight per input channel, and its shift into the bias where neither padding nor a border stands in the way.
 */
export const bnConv = nodePass(
  'bn-conv',
  'BatchNormalization is folded into the Conv, ConvTranspose, Gemm or MatMul behind it where that is exact',
  (bn, around, context) => {
    if (!bn.is('BatchNormalization')) return false;
    return handOver(bn, isLinear, (readers) => foldIntoReaders(bn, readers, around), context);
  },
);

/** Folds into every reader, or returns the reason why one of them cannot take it, having changed nothing. */
function foldIntoReaders(bn: Node, readers: readonly Node[], { opset, facts }: Surroundings): string | undefined {
  const norm = batchNormOf(bn, opset);
  if (typeof norm === 'string') return norm;
  const map = affineOfBatchNorm(norm);
  const channels = norm.gain.length;
  return foldForward(bn, readers, (reader) => {
    const layer = layerOf(reader, opset, facts);
    if (typeof layer === 'string') return layer;
    if (layer.inputs !== channels) return `it has ${channels} channels, '${reader.label}' reads ${layer.inputs}`;
    // Axis 1, which BatchNormalization takes for the channels, is the last one only in a matrix.
    return notMatrix(layer) ?? foldBefore(layer, map);
  });
}

/**
 * A BatchNormalization that no layer takes up is a Mul or an Add when it does only one of the two, which onnxruntime and
 * the quantizer handle better. One that does both would become two nodes and stays as it is.
 */
export const loneBn = rulePass(
  'lone-bn',
  'BatchNormalization that only scales, or only shifts, becomes Mul, or Add',
  (node, around) => {
    if (!node.is('BatchNormalization')) return undefined;
    return { nodes: [node], apply: () => toElementwise(node, around) };
  },
);

/** Converts, or returns the reason why not, having changed nothing. */
function toElementwise(node: Node, { opset, facts }: Surroundings): string | undefined {
  const norm = batchNormOf(node, opset);
  if (typeof norm === 'string') return norm;
  if (node.outputs.slice(1).some((value) => value !== null)) return 'it has more than one output';
  const { type, rank } = facts.of(node.input(0));
  if (type === undefined || rank === undefined) return `the type and rank of '${node.input(0)?.name}' are not known`;
  if (!isFloatType(type)) return `its element type is ${type}`;
  if (opset < 7) return `opset ${opset} has no Mul that broadcasts by itself`;
  const { gain, shift } = affineOfBatchNorm(norm);
  const scales = !gain.every((value) => value === 1);
  if (scales && !shift.every((value) => value === 0)) return 'it scales and shifts: a Mul and an Add are one node more';
  const data = roundTo(type, scales ? gain : shift);
  if (!fits(data, type)) return `its ${scales ? 'gain' : 'shift'} does not fit ${type}`;
  const dims = [gain.length, ...Array.from({ length: Math.max(rank - 2, 0) }, () => 1)];
  setConstant(node, 1, { type, dims, data }, `${node.label}_${scales ? 'gain' : 'shift'}`);
  node.truncateInputs(2);
  node.attributes.clear();
  node.outputs.length = 1;
  node.opType = scales ? 'Mul' : 'Add';
  return undefined;
}
