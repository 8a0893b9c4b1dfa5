/**
 * Fake quantizers as they stand in a graph: a QuantizeLinear, limits on its codes or none, and the DequantizeLinear nodes that
 * read them with the same scale and zero point. Made by `prepare`, by PyTorch's export, or by any tool that writes QDQ.
 *
 * Codes narrower than their container are limited between the two nodes: 8-bit codes by Clip, the form that PyTorch exports and other
 * tools import; onnxruntime has no Clip on 16 bits, so those go through int32. Taken off again, what is left is the float teacher.
 */
import { finetuneErrors } from '../errors/finetune.ts';
import { copyModel } from '../graph/from-proto.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { forward } from '../graph/rewrite.ts';
import type { Value } from '../graph/value.ts';
import { removeDead } from '../graph/walk.ts';
import { dataType, dataTypeOfCode, type DataTypeName } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { codes, type IntegerType } from '../quantized/quant-params.ts';
import { containerBits, type CodeLimits } from './widths.ts';

/** One fake quantizer. */
export interface FakeQuant {
  readonly quantize: Node;
  /** Clip, or Cast, Clip and Cast; empty when all codes of the type are used. */
  readonly clamps: readonly Node[];
  /** At least one; bodies may hold some. */
  readonly dequantize: readonly Node[];
  /** What is quantized. */
  readonly input: Value;
  readonly scale: Value;
  readonly zeroPoint: Value | undefined;
  /** With one scale per channel; undefined: one scale. */
  readonly axis: number | undefined;
  /** Elements along the axis that share a scale, where the scales have the rank of what is quantized; else undefined. */
  readonly block: number | undefined;
  readonly type: IntegerType;
  readonly limits: CodeLimits;
}

/** Finds the fake quantizers of the main graph and of all bodies, in list order. Those of four-bit types or with blocks are left out: nothing trains them. */
export function findFakeQuants(model: Model): FakeQuant[] {
  return allFakeQuants(model).filter((fake) => !isNarrow(fake));
}

/** Finds all of them, those of four bits and those with a scale for every block too. */
export function allFakeQuants(model: Model): FakeQuant[] {
  const found: FakeQuant[] = [];
  for (const node of model.allNodes()) {
    const fake = node.is('QuantizeLinear') ? fakeQuantAt(node) : undefined;
    if (fake) found.push(fake);
  }
  return found;
}

const isNarrow = ({ type, block }: FakeQuant): boolean => type.endsWith('int4') || block !== undefined;

/** The fake quantizer that begins with this QuantizeLinear, or undefined when its codes are used otherwise. */
export function fakeQuantAt(quantize: Node): FakeQuant | undefined {
  const [input, scale, zeroPoint] = [quantize.input(0), quantize.input(1), quantize.input(2)];
  const type = codeType(quantize);
  if (!input || !scale || !type) return undefined;
  let codes = quantize.output()!;
  let { qmin, qmax } = typeLimits(type);
  const clamps: Node[] = [];
  for (let user = codes.soleUser; user?.is('Clip', 'Cast'); user = codes.soleUser) {
    if (user.is('Clip')) {
      const [low, high] = [clipLimit(user, 1, qmin), clipLimit(user, 2, qmax)];
      if (low === undefined || high === undefined) return undefined;
      [qmin, qmax] = [Math.max(qmin, low), Math.min(qmax, high)];
    }
    clamps.push(user);
    codes = user.output()!;
  }
  const dequantize = [...codes.users.keys()];
  const pairs = dequantize.every(
    (node) => node.is('DequantizeLinear') && same(node.input(1), scale) && sameZero(node.input(2), zeroPoint),
  );
  if (!pairs || dequantize.length === 0 || codes.isOutput) return undefined;
  return { quantize, clamps, dequantize, input, scale, zeroPoint, ...axisOf(quantize), type, limits: { qmin, qmax } };
}

/** Along which axis a QuantizeLinear or DequantizeLinear has several scales, and for how many elements each stands. */
export function axisOf(node: Node): Pick<FakeQuant, 'axis' | 'block'> {
  const scale = node.input(1)?.dims;
  const block = node.int('block_size', 0) || undefined;
  const several = block !== undefined || (scale?.length === 1 && scale[0] !== 1);
  const rank = node.input(0)?.dims?.length;
  const written = node.int('axis', 1);
  return { axis: several ? (written < 0 && rank !== undefined ? written + rank : written) : undefined, block };
}

/** The types that fake quantizers write. */
export const codeTypes: ReadonlySet<DataTypeName> = new Set<DataTypeName>([
  ...(['uint8', 'int8', 'uint16', 'int16', 'uint4', 'int4'] as const),
]);

/** The type of the codes; undefined for others than these: float8, int32. */
function codeType(quantize: Node): IntegerType | undefined {
  const written = quantize.int('output_dtype', 0);
  const type = quantize.input(2)?.type ?? (written === 0 ? 'uint8' : dataTypeOfCode(written)?.name);
  return type !== undefined && codeTypes.has(type) ? (type as IntegerType) : undefined;
}

/** All codes of a type. */
export function typeLimits(type: IntegerType): CodeLimits {
  const { bits } = dataType(type);
  return type.startsWith('u')
    ? { qmin: 0, qmax: 2 ** bits - 1 }
    : { qmin: -(2 ** (bits - 1)), qmax: 2 ** (bits - 1) - 1 };
}

/** A limit of a Clip; undefined when it is computed. */
function clipLimit(clip: Node, index: number, fallback: number): number | undefined {
  if (!clip.input(index)) return fallback;
  return clip.constant(index)?.ints()[0];
}

function same(a: Value | undefined, b: Value | undefined): boolean {
  if (a === b) return true;
  const [x, y] = [a?.constant, b?.constant];
  if (!x || !y || x.type !== y.type || x.size !== y.size) return false;
  const [left, right] = [x.floats(), y.floats()];
  return left.every((value, i) => value === right[i]);
}

/** An absent zero point is 0. */
function sameZero(a: Value | undefined, b: Value | undefined): boolean {
  if (a && b) return same(a, b);
  return [a, b].every((value) => !value || value.constant?.floats().every((zero) => zero === 0));
}

/** Puts the limits behind a QuantizeLinear; whatever read its codes reads limited ones. */
export function clampCodes(quantize: Node, type: IntegerType, { qmin, qmax }: CodeLimits): void {
  const graph = quantize.graph!;
  const output = quantize.output()!;
  const wide = containerBits(type) === 16;
  const name = quantize.name || output.name;
  const chain = wide ? ['Cast', 'Clip', 'Cast'] : ['Clip'];
  const typeOf = (step: number): DataTypeName => (wide && step < 2 ? 'int32' : type);
  const nodes = chain.map((op, step) => {
    const node = graph.makeNode(op, [null], { outputs: [`${name}_${op}_Output`] });
    // The second of a kind has a numbered output; its node gets the same number.
    node.name = node.output()!.name.replace(/_Output(?=(_\d+)?$)/, '');
    if (op === 'Cast') node.setInt('to', dataType(typeOf(step)).code);
    else [qmin, qmax].forEach((limit, i) => node.setInput(i + 1, limitValue(graph, typeOf(step), limit)));
    node.output()!.setType(dataType(typeOf(step)).code, output.dims);
    return node;
  });
  graph.replaceUses(output, nodes.at(-1)!.output()!);
  let before = quantize;
  for (const node of nodes) {
    node.setInput(0, before.output()!);
    graph.insertAfter(node, before);
    before = node;
  }
}

/** One constant per limit in the main graph, where every body can read it. */
function limitValue(graph: Graph, type: DataTypeName, limit: number): Value {
  let root = graph;
  while (root.owner?.graph) root = root.owner.graph;
  const name = `${type}_limit_${limit < 0 ? `minus_${-limit}` : limit}`;
  const known = root.values.get(name);
  if (known?.constant?.size === 1 && known.type === type) return known;
  const data = type === 'int32' ? Int32Array.of(limit) : codes(type as IntegerType, 1).fill(limit);
  return root.addInitializer(Tensor.of(name, type, [], data));
}

/** The teacher of a fake-quantized model: what is left when the fake quantizers are taken off. The given model is left as it is. */
export function withoutFakeQuants(source: Model): Model {
  const model = copyModel(source);
  for (const { input, dequantize } of findFakeQuants(model)) {
    for (const node of dequantize) {
      const output = node.output()!;
      if (forward(output, input)) continue;
      // A graph output that is also an input or a constant keeps a node of its own.
      const copy = node.graph!.makeNode('Identity', [input], { outputs: [`${output.name}_float`] });
      node.graph!.insertAfter(copy, node);
      forward(output, copy.output()!);
    }
  }
  removeDead(model.graph);
  return model;
}

/**
 * Makes outputs of the values inside the teacher that a loss compares, by name.
 * @param path of the teacher's file, for errors
 * @throws QAT_TEACHER when it has no such value
 */
export function showInside(teacher: Model, names: Iterable<string>, path: string): void {
  for (const name of names) {
    const value = teacher.graph.values.get(name);
    if (!value?.producer) throw finetuneErrors.teacherActivation(path, name);
    if (value.isOutput) continue;
    value.setType(dataType('float32').code, value.dims);
    teacher.graph.addOutput(value);
  }
}
