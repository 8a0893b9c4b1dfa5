/** Products of matrices become Gemm with plain constants, the form that has an integer kernel with a bias. */
import type { Node } from '../graph/node.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { doubles, fits, isFloatType, roundTo, setConstant, type Content, neededElsewhere, absorb } from './edit.ts';
import { nodePass, rulePass, type Surroundings } from './pass.ts';
import { batchNormOf } from './batch-norm.ts';
import type { Value } from '../graph/value.ts';

/** MatMul with a constant matrix, then Add of a constant bias: one Gemm, when the input is a matrix too. */
export const matmulAdd = rulePass(
  'matmul-add',
  'MatMul with a constant weight and Add of a constant bias become Gemm',
  (matmul, around) => {
    if (!matmul.is('MatMul') || matmul.constant(1)?.dims.length !== 2) return undefined;
    const add = matmul.output()?.soleUser;
    const bias = add?.is('Add') ? add.inputs.find((value) => value !== matmul.output()) : undefined;
    return add && bias ? { nodes: [matmul, add], apply: () => toGemm(matmul, add, bias, around) } : undefined;
  },
);

function toGemm(matmul: Node, add: Node, bias: Value, around: Surroundings): string | undefined {
  const reason = notGemm(matmul, add, bias, around);
  if (reason !== undefined) return reason;
  matmul.opType = 'Gemm';
  matmul.setInput(2, bias);
  absorb(matmul, add);
  return undefined;
}

/** Why this pair is not a Gemm. */
function notGemm(matmul: Node, add: Node, bias: Value, { facts, opset }: Surroundings): string | undefined {
  const x = matmul.input(0);
  const { type, dims } = matmul.constant(1)!;
  const { rank } = facts.of(x);
  if (rank === undefined) return `the rank of '${x?.name}' is not known`;
  if (rank !== 2) return `the rank of '${x?.name}' is ${rank}, not 2`;
  if (opset < 7) return `opset ${opset} has no Gemm whose bias is broadcast`;
  if (!isFloatType(type.name)) return `its weight is ${type.name}`;
  if (add.graph !== matmul.graph) return `'${add.label}' stands in another graph`;
  if (!bias.constant) return `'${bias.name}', which is added, is not constant`;
  const shape = bias.constant.dims;
  if (!bias.constant.floats().every(Number.isFinite))
    return `'${bias.name}', which is added, holds infinity on purpose`;
  const fits = shape.at(-1) === dims[1] && (shape.length === 1 || (shape.length === 2 && shape[0] === 1));
  return fits ? undefined : `'${bias.name}', which is added, has shape [${shape.join(', ')}], not [${dims[1]}]`;
}

/**
 * A MatMul whose result is flattened for a BatchNormalization over its channels (Linear and BatchNorm1d of tokens, as in
 * LeViT): flattened before instead, it multiplies matrices, takes the BatchNormalization up and becomes a Gemm.
 */
export const flatMatmul = rulePass(
  'flat-matmul',
  'what flattens the result of a MatMul for a BatchNormalization flattens its input instead',
  (norm, { opset, facts }) => {
    const flat = norm.is('BatchNormalization') ? norm.input(0)?.producer : undefined;
    const matmul = flat?.is('Flatten', 'Reshape') ? flat.input(0)?.producer : undefined;
    if (!flat || !matmul?.is('MatMul') || matmul.constant(1)?.dims.length !== 2) return undefined;
    if (typeof batchNormOf(norm, opset) === 'string') return undefined;
    const { rank } = facts.of(matmul.input(0));
    const obstacle = (): string | undefined =>
      neededElsewhere(matmul, flat) ??
      neededElsewhere(flat, norm) ??
      joinsMore(flat, rank, matmul.constant(1)!.dims[1]!);
    const apply = (): string | undefined => obstacle() ?? flattenBefore(matmul, flat, rank!);
    return { nodes: [matmul, flat], about: matmul, apply };
  },
);

/** Why `flat` does something else than to join all axes but that of the columns, into rows; undefined when it does that. */
function joinsMore(flat: Node, rank: number | undefined, columns: number): string | undefined {
  if (rank === undefined) return 'the rank of its input is not known';
  if (flat.is('Flatten')) {
    const axis = flat.int('axis', 1);
    return axis === rank - 1 || axis === -1 ? undefined : `'${flat.label}' flattens ${rank} axes at axis ${axis}`;
  }
  const shape = flat.constant(1)?.ints();
  if (!shape) return `the shape that '${flat.label}' makes is not constant`;
  // A 0 would copy an axis of what is reshaped.
  const rows = shape.length === 2 && shape[0] !== 0 && shape[1] === columns;
  return rows ? undefined : `'${flat.label}' makes [${shape.join(', ')}], not rows of ${columns}`;
}

/** The result of `flat` keeps its name: it is the product from now on. */
function flattenBefore(matmul: Node, flat: Node, rank: number): undefined {
  const graph = matmul.graph!;
  const [x, product, rows] = [matmul.input(0)!, matmul.output()!, flat.output()!];
  const before = graph.makeNode('Flatten', [x], { name: flat.name, outputs: [`${x.name}_rows`] });
  before.setInt('axis', rank - 1);
  flat.setOutput(0, null);
  graph.remove(flat);
  graph.insertBefore(before, matmul);
  matmul.setInput(0, before.output()!);
  matmul.setOutput(0, rows);
  graph.removeValue(product);
}

/**
 * Factors of a Gemm go into its constants: alpha into the weight, beta into the bias, in float64, rounded once; and a bias that is
 * broadcast is written out, one value per column. Integer kernels, and what multiplies weights in blocks, know neither factors nor
 * other shapes.
 */
export const gemmConstants = nodePass(
  'gemm-constants',
  'alpha and beta of a Gemm are multiplied into its constants, and its bias gets one value per column',
  (node, { opset }, { applied, refused }) => {
    if (!node.is('Gemm') || opset < 7) return false;
    const results = [foldAlpha(node), foldBias(node)];
    for (const result of results) if (typeof result === 'string') refused(node.label, result);
    if (!results.includes(true)) return false;
    applied([node.label], node.label);
    return true;
  },
);

/** True when something was changed; else the reason why it was not, or undefined: there was nothing to do. */
type Outcome = true | string | undefined;

function foldAlpha(node: Node): Outcome {
  const weight = node.constant(1);
  const alpha = Math.fround(node.float('alpha', 1));
  if (alpha === 1 || !weight) return undefined;
  const content = scaled(weight, weight.dims, doubles(weight), alpha);
  if (typeof content === 'string') return content;
  setConstant(node, 1, content, weight.name);
  node.attributes.delete('alpha');
  return true;
}

function foldBias(node: Node): Outcome {
  const [weight, bias] = [node.constant(1), node.constant(2)];
  const beta = Math.fround(node.float('beta', 1));
  if (!bias || !weight) return undefined;
  const columns = weight.dims[node.int('transB', 0) === 0 ? 1 : 0]!;
  const row = rowOf(bias, columns);
  const asItShould = row === undefined || (bias.dims.length === 1 && bias.dims[0] === columns);
  if (beta === 1 && asItShould) return undefined;
  const content = row ? scaled(bias, [columns], row, beta) : scaled(bias, bias.dims, doubles(bias), beta);
  if (typeof content === 'string') return content;
  setConstant(node, 2, content, bias.name);
  node.attributes.delete('beta');
  return true;
}

/** The one row of which a broadcast bias consists; undefined when its rows differ. */
function rowOf(bias: Tensor, columns: number): Float64Array | undefined {
  const width = bias.dims.at(-1) ?? 1;
  const rows = bias.size / width;
  const values = doubles(bias);
  for (let i = width; i < rows * width; i++) if (!Object.is(values[i], values[i % width])) return undefined;
  return width === columns ? values.slice(0, width) : new Float64Array(columns).fill(values[0]!);
}

function scaled(from: Tensor, dims: readonly number[], values: Float64Array, factor: number): Content | string {
  const type = from.type.name;
  if (!isFloatType(type)) return `its constant '${from.name}' is ${type}`;
  const data = roundTo(
    type,
    values.map((value) => value * factor),
  );
  return fits(data, type) ? { type, dims, data } : `'${from.name}' times ${factor} does not fit ${type}`;
}
