/**
 * Integer codes in the graph, and the DequantizeLinear that makes real numbers of them. The codes of a matrix may be wanted the other
 * way round: they are stored so, or read through a Transpose that runtimes compute once, when they load the model.
 */
import { copyModel } from '../graph/from-proto.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { absorb, makeConstant } from '../intrinsic/edit.ts';
import type { DataTypeName } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { specOf } from '../ops/index.ts';
import type { Constant } from './node-rules.ts';
import { codesTensor, type Codes, type IntegerType } from './quant-params.ts';

/** The three inputs of a DequantizeLinear. */
export interface Placed {
  readonly codes: Value;
  readonly scale: Value;
  /** Undefined for one that is 0 and is not spelled out. */
  readonly zeroPoint: Value | undefined;
  readonly axis: number | undefined;
  /** Elements along the axis that share a scale; undefined: 1. */
  readonly block?: number | undefined;
}

/**
 * Writes constant codes into the graph; one scale makes scalars, several a vector along `axis`.
 * @param zeros undefined: all 0, and not written
 * @param source the float constant, to stay in the graph behind a QuantizeLinear that makes the same codes of it
 * @param shape of the scales, where they stand for blocks
 */
export function placeCodes(
  graph: Graph,
  quantized: Tensor,
  scales: Float32Array,
  zeros: Int32Array | Codes | undefined,
  axis: number | undefined,
  source?: Value,
  shape?: readonly number[],
): Placed {
  const { name, type } = quantized;
  const dims = shape ?? (axis === undefined ? [] : [scales.length]);
  const scale = graph.addInitializer(Tensor.of(`${name}_scale`, 'float32', dims, scales));
  const zeroPoint = zeros && graph.addInitializer(zeroPoints(`${name}_zero_point`, type.name, dims, zeros));
  if (!source) return { scale, zeroPoint, codes: graph.addInitializer(quantized), axis };
  const node = graph.makeNode('QuantizeLinear', [source, scale, ...(zeroPoint ? [zeroPoint] : [])], {
    name: `${source.name}_QuantizeLinear`,
    outputs: [name],
  });
  if (axis !== undefined) node.setInt('axis', axis);
  graph.prepend(node);
  return { scale, zeroPoint, codes: node.output()!, axis };
}

function zeroPoints(name: string, type: DataTypeName, dims: readonly number[], zeros: Int32Array | Codes): Tensor {
  return zeros instanceof Int32Array
    ? Tensor.of(name, type, dims, zeros)
    : codesTensor(name, type as IntegerType, dims, zeros);
}

/**
 * Appends a DequantizeLinear of the codes.
 * @param graph where it is read: the codes may stand in an outer graph, but runtimes fuse the nodes of one graph only
 */
export function dequantizeIn(graph: Graph, placed: Placed, name: string): Value {
  const { codes: from, scale, zeroPoint, axis, block } = placed;
  const node = graph.makeNode('DequantizeLinear', [from, scale, ...(zeroPoint ? [zeroPoint] : [])], {
    outputs: [`${name}_DequantizeLinear_Output`],
  });
  // A second copy has a numbered output; its node gets the same number.
  node.name = node.output()!.name.replace(/_Output(?=(_\d+)?$)/, '');
  if (axis !== undefined) node.setInt('axis', axis);
  if (block !== undefined) node.setInt('block_size', block);
  if (from.producer?.graph === graph) graph.insertAfter(node, from.producer);
  else graph.prepend(node);
  return node.output()!;
}

/** Transposes the codes of a matrix with a scale per row to those of its transpose, with a scale per column, by a node of the graph. */
export function turnCodes(placed: Placed, name: string): Placed {
  const { codes: rows, axis } = placed;
  const { graph } = rows;
  const transpose = graph.makeNode('Transpose', [rows], { outputs: [name] });
  transpose.setInts('perm', [1n, 0n]);
  transpose.name = `${transpose.output()!.name}_Transpose`;
  graph.prepend(transpose);
  return { ...placed, codes: transpose.output()!, axis: axis === undefined ? undefined : 1 - axis };
}

/**
 * Moves a DequantizeLinear behind its reader: a node that picks rows of a dequantized table picks rows of its codes, and what makes numbers of them stands behind it: a
 * DequantizeLinear with a scale per column (the last axis of what is picked), or with the scale 1 and a product with the picked
 * scales of the rows.
 */
export function dequantizeBehind(node: Node): void {
  const before = node.input(0)!.producer!;
  const [graph, output] = [node.graph!, node.output()!];
  const [scale, zero] = [before.input(1)!, before.input(2)!];
  const picked = graph.addValue(`${output.name}_quantized`);
  node.setInput(0, before.input(0)!);
  node.setOutput(0, picked);
  const byRows = before.attributes.has('axis') && before.int('axis', 1) === 0;
  const inputs = byRows ? [picked, ...unit(scale, zero)] : [picked, scale, zero];
  const behind = graph.makeNode('DequantizeLinear', inputs, { name: `${picked.name}_DequantizeLinear`, outputs: [] });
  graph.insertAfter(behind, node);
  if (!byRows) {
    if (before.attributes.has('axis')) behind.setInt('axis', -1);
    behind.setOutput(0, output);
    return;
  }
  behind.setOutput(0, graph.addValue(`${picked.name}_DequantizeLinear_Output`));
  const steps = graph.makeNode('Gather', [column(scale), node.input(1)!], { outputs: [`${output.name}_scale`] });
  steps.name = `${steps.output()!.name}_Gather`;
  graph.insertAfter(steps, behind);
  const scaled = graph.makeNode('Mul', [behind.output()!, steps.output()!], {
    name: `${output.name}_scaled`,
    outputs: [],
  });
  scaled.setOutput(0, output);
  graph.insertAfter(scaled, steps);
}

/** Scale 1 and the one zero point of all rows. */
function unit(scale: Value, zero: Value): Value[] {
  const { type } = zero.constant!;
  return [
    shared(scale, 'unit', () => Tensor.of('', 'float32', [], Float32Array.of(1))),
    shared(zero, 'of_rows', () => Tensor.of('', type.name, [], zero.constant!.data().slice(0, 1))),
  ];
}

/** A constant beside another one, made once. */
function shared({ graph, name }: Value, suffix: string, make: () => Tensor): Value {
  const own = `${name}_${suffix}`;
  return graph.values.get(own) ?? graph.addInitializer(make().renamed(own));
}

/** The scales as a column, so that what is picked of them spreads over rows; runtimes compute it once. */
function column(scale: Value): Value {
  const made = [...scale.users.keys()].find((user) => user.is('Unsqueeze'));
  if (made) return made.output()!;
  const { graph, name } = scale;
  const axes = shared(scale, 'axes', () => Tensor.of('', 'int64', [1], BigInt64Array.of(-1n)));
  const node = graph.makeNode('Unsqueeze', [scale, axes], { name: `${name}_Unsqueeze`, outputs: [`${name}_column`] });
  return graph.prepend(node).output()!;
}

/** Makes DequantizeLinear → node → QuantizeLinear with the same parameters the node alone, on codes: see OpSpec.moveCodes. */
export function moveCodes(node: Node): void {
  const before = node.input(0)?.producer;
  const behind = node.output()?.soleUser;
  if (!before?.is('DequantizeLinear') || !behind?.is('QuantizeLinear')) return;
  const [scale, zero] = [behind.input(1)!, behind.input(2)!];
  if (before.input(1) !== scale || before.input(2) !== zero || zero?.constant?.type.bits !== 8) return;
  specOf(node)!.moveCodes!.apply(node, zero);
  node.setInput(0, before.input(0)!);
  absorb(node, behind);
}

/** Transposes the codes of a matrix [N, K], for kernels that want [K, N]. */
export function turned(tensor: Tensor): Constant {
  const [rows, cols] = tensor.dims as [number, number];
  const from = tensor.data() as Int8Array;
  const to = from.slice();
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) to[c * rows + r] = from[r * cols + c]!;
  return { type: tensor.type.name, dims: [cols, rows], data: to };
}

/** Returns the model as kernels see it, without Transposes of stored codes; the given one is left as it is. */
export function asLoaded(model: Model): Model {
  if (![...model.allNodes()].some(turnsCodes)) return model;
  const loaded = copyModel(model);
  for (const node of [...loaded.allNodes()]) {
    if (!turnsCodes(node)) continue;
    const output = node.output()!;
    const { type, dims, data } = turned(node.constant(0)!);
    makeConstant(output, Tensor.of(output.name, type, dims, data as Int8Array));
  }
  return loaded;
}

function turnsCodes(node: Node): boolean {
  const codes = node.is('Transpose') ? node.constant(0) : undefined;
  const [first = 1] = node.ints('perm') ?? [];
  const matrix = codes?.dims.length === 2 && codes.type.name.endsWith('int8');
  return matrix && first === 1 && !node.output()!.isOutput;
}
