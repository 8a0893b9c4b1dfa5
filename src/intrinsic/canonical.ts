/** One form for what files say in several: attributes, shapes of Reshape, and names. */
import { separateNodeNames, own } from '../graph/names.ts';
import type { Value, Dim } from '../graph/value.ts';
import { nodePass, type Pass } from './pass.ts';
import type { Attribute } from '../graph/attribute.ts';
import type { Node } from '../graph/node.ts';
import { Tensor } from '../onnx/tensor.ts';

/**
 * One form for what exporters write in different ways, so that the same network fuses to the same graph whoever exported it: attributes that
 * say their default go, omitted inputs at the end go, and a Reshape that keeps its leading axes says so with 0.
 */
export const canonical = nodePass(
  'canonical',
  'attributes that say their default are dropped, and Reshape keeps leading axes by 0',
  (node, { opset }, context) => {
    if (node.domain !== '') return false;
    const dropped = dropDefaults(node);
    if (!reshapeByCopy(node, opset)) return dropped;
    context.applied([node.label], node.label);
    return true;
  },
);

/** Defaults that are the same in every opset in which the attribute exists. */
const defaults: Readonly<Record<string, Readonly<Record<string, number | string>>>> = {
  Conv: { auto_pad: 'NOTSET', group: 1 },
  ConvTranspose: { auto_pad: 'NOTSET', group: 1 },
  MaxPool: { auto_pad: 'NOTSET', ceil_mode: 0, storage_order: 0 },
  AveragePool: { auto_pad: 'NOTSET', ceil_mode: 0, count_include_pad: 0 },
  Gemm: { alpha: 1, beta: 1, transA: 0, transB: 0 },
  Pad: { mode: 'constant' },
  Flatten: { axis: 1 },
  Reshape: { allowzero: 0 },
};
/** Lists whose default is the same number for every axis. */
const uniform: Readonly<Record<string, number>> = { dilations: 1, strides: 1, pads: 0 };
const windowed = new Set(['Conv', 'ConvTranspose', 'MaxPool', 'AveragePool']);

/** True when anything went. It is not told: the node is the same in other words. */
function dropDefaults(node: Node): boolean {
  let dropped = false;
  for (const [name, attribute] of node.attributes) {
    const plain = own(own(defaults, node.opType) ?? {}, name);
    const list = windowed.has(node.opType) ? uniform[name] : undefined;
    if ((plain !== undefined && says(attribute, plain)) || (list !== undefined && saysAll(attribute, list))) {
      node.attributes.delete(name);
      dropped = true;
    }
  }
  // Without a zero in the shape there is nothing to allow.
  if (node.is('Reshape') && node.constant(1)?.ints().includes(0) === false && node.attributes.delete('allowzero'))
    dropped = true;
  while (node.inputs.length > 0 && node.inputs.at(-1) === null) {
    node.truncateInputs(node.inputs.length - 1);
    dropped = true;
  }
  return dropped;
}

function says(attribute: Attribute, value: number | string): boolean {
  if (attribute.kind === 'string') return new TextDecoder().decode(attribute.value) === value;
  return (attribute.kind === 'int' || attribute.kind === 'float') && Number(attribute.value) === value;
}

function saysAll(attribute: Attribute, value: number): boolean {
  return attribute.kind === 'ints' && attribute.value.every((each) => Number(each) === value);
}

/** Reshape of [batch, 64, 1, 1] to [-1, 64], or to what says the same, becomes [0, -1]. True when it was rewritten. */
function reshapeByCopy(node: Node, opset: number): boolean {
  const [data, shape] = [node.input(0), node.input(1)];
  if (!node.is('Reshape') || opset < 5 || !data?.dims || !shape?.constant) return false;
  const target = shape.constant.ints();
  if (node.int('allowzero', 0) !== 0) return false;
  const result = resolved(data.dims, target);
  if (!result) return false;
  const copied = result.findIndex((dim, axis) => dim !== data.dims![axis] || typeof dim !== 'string');
  const kept = copied < 0 ? result.length : copied;
  const rest = result.slice(kept);
  if (kept === 0 || rest.length !== 1) return false;
  const wanted = [...Array.from({ length: kept }, () => 0), -1];
  if (wanted.length === target.length && wanted.every((dim, axis) => dim === target[axis])) return false;
  const name = `${node.output()!.name}_shape`;
  const constant = Tensor.of(name, 'int64', [wanted.length], BigInt64Array.from(wanted, BigInt));
  node.setInput(1, node.graph!.addInitializer(constant));
  if (shape.useCount === 0) shape.graph.removeValue(shape);
  return true;
}

/** The dims of the result, symbolic ones by name; undefined unless every one is a number or a name of the input. */
function resolved(dims: readonly Dim[], target: readonly number[]): (number | string)[] | undefined {
  const result = target.map((dim, axis) => (dim === 0 ? dims[axis] : dim));
  const sizes = (list: readonly (Dim | undefined)[]): number =>
    list.reduce<number>((n, dim) => (typeof dim === 'number' ? n * dim : n), 1);
  const names = (list: readonly (Dim | undefined)[]): string[] => list.filter((dim) => typeof dim === 'string');
  if (dims.includes(null) || result.includes(null) || result.includes(undefined) || dims.includes(0)) return undefined;
  const open = result.indexOf(-1);
  if (open < 0) return result as (number | string)[];
  const missing = names(dims);
  for (const name of names(result)) missing.splice(missing.indexOf(name), 1);
  const quotient = sizes(dims) / sizes(result.filter((_, axis) => axis !== open));
  if (missing.length > 1 || (missing.length === 1 && quotient !== 1)) return undefined;
  result[open] = missing[0] ?? quotient;
  return result as (number | string)[];
}

/**
 * ONNX lets two bodies, such as the branches of an If, use the same tensor names. Plans, ranges, state files and reports know
 * a tensor by its name alone, so every name gets one owner: the outermost graph, then the first body, keeps it. Two nodes of
 * one graph must not share a name either, but in files they do.
 */
export const uniqueNames: Pass = {
  name: 'unique-names',
  summary: 'nodes, and tensors of different bodies of control flow, get different names',
  run(model, context) {
    const taken = new Set<string>();
    const nodes = separateNodeNames(model);
    for (const node of nodes) context.applied([node.label]);
    let changed = nodes.length > 0;
    for (const each of model.graph.graphs()) {
      for (const value of [...each.values.values()]) {
        if (taken.has(value.name) && isRenamable(value)) {
          each.rename(value, value.name);
          context.applied([value.producer?.label ?? value.name]);
          changed = true;
        }
        taken.add(value.name);
      }
    }
    return changed;
  },
};

/** A sparse initializer carries its name where the graph does not look. */
function isRenamable({ producer, isInput, initializer }: Value): boolean {
  return producer !== undefined || isInput || initializer !== undefined;
}
