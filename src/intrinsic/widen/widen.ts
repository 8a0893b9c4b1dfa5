/**
 * A model in float16, bfloat16 or float64 → the same model in float32, which is what integer kernels, calibration and training
 * read. Inputs and outputs keep their types, with a Cast at the border. Bodies of If, Loop and Scan and local functions
 * are widened with the rest; operators of domains that nobody knows keep the types they were written for.
 * This happens before anything is upgraded or fused. Large constants are converted when they are read, and go back to their very bytes
 * where a form writes float16 (onnx/widened.ts); training takes the Casts away (ports.ts).
 */
import { isKnownDomain, type Model } from '../../graph/model.ts';
import { valueTypes } from '../../graph/element-types.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Node } from '../../graph/node.ts';
import { bypass } from '../../graph/rewrite.ts';
import type { Value } from '../../graph/value.ts';
import { dataType, type DataTypeName } from '../../onnx/data-types.ts';
import { isOtherFloat, widened } from '../../onnx/widened.ts';
import { weightedTypes } from '../../ops/index.ts';
import { inlineAll } from '../inlining.ts';
import { castInput, castNode, castOutput } from './ports.ts';
import { typesIn, typesOf, widenAttributes, widenedType, type Wanted } from './types.ts';

const single = dataType('float32').code;

export interface Widened {
  /** What became float32: float16, bfloat16, float64. */
  readonly types: readonly DataTypeName[];
  /** Inputs and outputs that could not keep their type: onnxruntime-node has no bfloat16, and containers are not cast. */
  readonly ports: readonly string[];
  /** Names of the tensors that were float32 before. */
  readonly singles: ReadonlySet<string>;
}

/** In place. Undefined, and nothing changed, when the model needs it not. */
export function widen(model: Model): Widened | undefined {
  const wanted = typesToWiden(model);
  if (wanted.size === 0) return undefined;
  if (model.functions.length > 0) inlineAll(model);
  const { types } = valueTypes(model);
  const wide = (value: Value | null | undefined): boolean => value !== null && wanted.has(types.get(value!)!);
  const singles = new Set<string>();
  for (const [{ name, isConstant }, type] of types) if (type === 'float32' && !isConstant) singles.add(name);

  const nodes = [...model.allNodes()];
  const asTheyWere = new Set<Value>();
  for (const node of nodes) {
    // Trees compare features with thresholds of their own type: rounding could send a sample elsewhere.
    if (isKnownDomain(node.domain) && node.domain !== 'ai.onnx.ml') widenAttributes(node, wanted);
    else for (const value of guard(node, types, wanted)) asTheyWere.add(value);
  }
  const ports: string[] = [];
  for (const graph of model.graph.graphs()) {
    for (const value of [...graph.values.values()]) {
      const isPort = graph === model.graph && (value.isInput || value.isOutput);
      if (!isPort && !asTheyWere.has(value)) widenValue(value, wanted);
    }
  }
  for (const value of [...model.graph.inputs]) inputPort(model.graph, value, wide(value), wanted, ports);
  for (const value of new Set(model.graph.outputs)) outputPort(model.graph, value, types.get(value), wanted, ports);
  for (const node of nodes) {
    const input = node.input(0);
    if (!node.graph || !node.is('Cast') || node.int('to') !== single || !input) continue;
    if (wide(input) || (types.get(input) ?? input.type) === 'float32') bypass(node, input);
  }
  return { types: [...wanted], ports, singles };
}

/** Every float16 and bfloat16; float64 where layers compute in it, since elsewhere it counts and positions. */
function typesToWiden(model: Model): Wanted {
  const found = new Set<DataTypeName>();
  const see = (type: DataTypeName | undefined): void => {
    if (isOtherFloat(type) && type !== 'float64') found.add(type);
  };
  const doubles = [...model.allNodes()].some(
    (node) => typesOf(node).includes('float64') || node.inputs.some((value) => value?.type === 'float64'),
  );
  const types = doubles ? valueTypes(model).types : undefined;
  for (const { node } of model.functions) for (const each of node ?? []) for (const type of typesIn(each)) see(type);
  for (const graph of model.graph.graphs()) for (const value of graph.values.values()) see(value.type);
  for (const node of model.allNodes()) {
    for (const type of typesOf(node)) see(type);
    const layer = node.domain === '' && weightedTypes.has(node.opType);
    if (layer && node.inputs.some((value) => value && types?.get(value) === 'float64')) found.add('float64');
  }
  return found;
}

function widenValue(value: Value, wanted: Wanted): void {
  if (value.initializer && wanted.has(value.initializer.type.name)) value.initializer = widened(value.initializer);
  if (!value.info?.type) return;
  const type = widenedType(value.info.type, wanted);
  if (type !== value.info.type) value.info = { ...value.info, type };
}

/** The input keeps its type, and everyone reads it through a Cast. */
function inputPort(graph: Graph, value: Value, isWide: boolean, wanted: Wanted, ports: string[]): void {
  if (!isWide || value.type === 'bfloat16') {
    if (changes(value, wanted)) ports.push(value.name);
    widenValue(value, wanted);
    return;
  }
  castInput(graph, value, value.type!);
}

/** The output keeps its name and its type behind a Cast; what made it writes float32 under a name of its own. */
function outputPort(graph: Graph, value: Value, type: DataTypeName | undefined, wanted: Wanted, ports: string[]): void {
  if (value.isInput || value.graph !== graph) return;
  if (value.isConstant) {
    const twin = graph.addInitializer(widened(value.initializer!).renamed(`${value.name}_float32`));
    for (const user of [...value.users.keys()]) {
      user.inputs.forEach((input, index) => input === value && user.setInput(index, twin));
    }
    return;
  }
  if (type === undefined || !wanted.has(type) || type === 'bfloat16') {
    if (changes(value, wanted)) ports.push(value.name);
    widenValue(value, wanted);
    return;
  }
  castOutput(graph, value, type);
}

function changes({ info }: Value, wanted: Wanted): boolean {
  return info?.type !== undefined && widenedType(info.type, wanted) !== info.type;
}

/** An operator that nobody knows reads and writes the types it was written for. @returns the values that keep them */
function guard(node: Node, types: ReadonlyMap<Value, DataTypeName>, wanted: Wanted): Value[] {
  const graph = node.graph!;
  const kept: Value[] = [];
  node.inputs.forEach((value, index) => {
    const type = value ? types.get(value) : undefined;
    if (!value || type === undefined || !wanted.has(type)) return;
    const cast = castNode(graph, value, type, `${value.name}_${type}`);
    graph.insertBefore(cast, node);
    cast.setInput(0, value);
    node.setInput(index, cast.output()!);
    kept.push(cast.output()!);
  });
  node.outputs.forEach((value, index) => {
    const type = value ? types.get(value) : undefined;
    if (!value || type === undefined || !wanted.has(type)) return;
    const own = graph.addValue(`${value.name}_${type}`);
    own.setType(dataType(type).code, value.dims);
    node.setOutput(index, own);
    const cast = graph.makeNode('Cast', [own], { name: `${node.label}/${index}/Cast`, outputs: [] });
    cast.setInt('to', single);
    cast.setOutput(0, value);
    graph.insertAfter(cast, node);
    kept.push(own);
  });
  return kept;
}
