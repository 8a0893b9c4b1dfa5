/**
 * Nodes that depend on constants only are computed once, here, by the executor: all of them in one small model whose
 * outputs are the values that the rest of the graph reads. Quantizers stay, and so does what would make the file grow.
 */
import { type Executor, Model, isKnownDomain } from '../graph/model.ts';
import { Graph } from '../graph/graph.ts';
import { Names } from '../graph/names.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { Tensor } from '../onnx/tensor.ts';
import { isRandom } from '../ops/index.ts';
import { makeConstant } from './edit.ts';
import type { Pass, PassContext } from './pass.ts';

/** A result may be larger than what it is computed from up to this many bytes. */
const freeGrowth = 2 ** 20;

export const constantFolding: Pass = {
  name: 'constant-folding',
  summary: 'what is computed from constants only is computed once and stored',
  async run(model, context) {
    // Nodes found unfit on the way: the search starts again without them, and with what they read as new results.
    const unfit = new Set<Node>();
    for (let changed = false; ;) {
      const foldable = findFoldable(model, unfit, context);
      const wanted = results(foldable);
      if (wanted.length === 0) return changed;
      const tensors = await evaluate(model, cone(wanted, foldable), wanted, context, unfit);
      if (!tensors) continue;
      const large = new Set(wanted.filter((value) => grows(value, tensors.get(value)!)));
      const small = wanted.filter((value) => !large.has(value));
      for (const { producer, name } of large) {
        unfit.add(producer!);
        context.refused(producer!.label, `'${name}' is constant, but larger than what it is computed from`);
      }
      if (small.length > 0) {
        changed = true;
        replace(cone(small, foldable), small, tensors, context);
      }
    }
  },
};

/** What yields sequences and optionals, which no initializer can hold. */
const notTensors = /^(Sequence(Construct|Empty|Insert|Erase|Map)|SplitToSequence|Optional|Constant)$/;
const quantizers = /^(Dynamic)?(Quantize|Dequantize)Linear$/;

/** Nodes all of whose inputs are constant or come from such nodes, in dependency order. */
function findFoldable(model: Model, unfit: ReadonlySet<Node>, context: PassContext): Set<Node> {
  const foldable = new Set<Node>();
  const functions = new Set(model.functions.map((f) => `${f.domain ?? ''}:${f.name ?? ''}`));
  for (const node of model.allNodes()) {
    if (node.inputs.length === 0 || unfit.has(node)) continue;
    // Only its own library can run it.
    if (!isKnownDomain(node.domain) && !functions.has(`${node.domain}:${node.opType}`)) continue;
    const isReady = (value: Value): boolean => value.isConstant || foldable.has(value.producer!);
    if (!node.inputs.every((value) => value === null || isReady(value))) continue;
    if (isRandom(node) || notTensors.test(node.opType) || quantizers.test(node.opType)) continue;
    if (node.is('Dropout')) continue;
    const tied = context.tied(node);
    if (tied) {
      context.refused(node.label, `its table '${tied.name}' is read as it is, too, and would be stored twice`);
      continue;
    }
    if (node.subgraphs().length > 0) {
      context.refused(node.label, 'its inputs are constant, but control flow is not folded');
    } else if (functions.has(`${node.domain}:${node.opType}`)) {
      context.refused(node.label, 'its inputs are constant, but calls of model functions are not folded');
    } else {
      foldable.add(node);
    }
  }
  return foldable;
}

/** Outputs of these nodes that others read, or that are graph outputs. */
function results(foldable: ReadonlySet<Node>): Value[] {
  const wanted: Value[] = [];
  for (const node of foldable) {
    for (const value of node.outputs) {
      const users = value ? [...value.users.keys()] : [];
      if (value && (value.isOutput || users.some((user) => !foldable.has(user)))) wanted.push(value);
    }
  }
  return wanted;
}

/** The foldable nodes that the wanted values depend on, in the order of `foldable`. */
function cone(wanted: readonly Value[], foldable: ReadonlySet<Node>): Node[] {
  const reached = new Set<Node>();
  const pending = wanted.map((value) => value.producer);
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (reached.has(node)) continue;
    reached.add(node);
    for (const input of node.inputs) if (input?.producer) pending.push(input.producer);
  }
  return [...foldable].filter((node) => reached.has(node));
}

/** The wanted tensors; or undefined, with the nodes that onnxruntime cannot run added to `unfit`. */
async function evaluate(
  model: Model,
  nodes: readonly Node[],
  wanted: readonly Value[],
  { executor, refused }: PassContext,
  unfit: Set<Node>,
): Promise<Map<Value, Tensor> | undefined> {
  try {
    return await evaluateConstants(model, nodes, wanted, new Map(), executor);
  } catch {
    // Which node it is, is found by running them one by one.
    const known = new Map<Value, Tensor>();
    const before = unfit.size;
    for (const node of nodes) {
      if (!node.inputs.every((value) => value === null || value.isConstant || known.has(value))) continue;
      try {
        const read = node.outputs.filter((value) => value !== null && value.useCount > 0) as Value[];
        const tensors = await evaluateConstants(model, [node], read, known, executor);
        for (const [value, tensor] of tensors) known.set(value, tensor);
      } catch (error) {
        unfit.add(node);
        refused(node.label, `onnxruntime cannot compute it: ${firstLine(error)}`);
      }
    }
    return unfit.size > before ? undefined : known;
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!;
}

/** True when storing the result would cost more than `freeGrowth` and more than the constants behind it. */
function grows(value: Value, { byteLength }: Tensor): boolean {
  if (byteLength <= freeGrowth) return false;
  const sources = new Set<Value>();
  const seen = new Set<Node>();
  const pending = [value.producer!];
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    for (const input of node.inputs) {
      if (input?.isConstant) sources.add(input);
      else if (input) pending.push(input.producer!);
    }
  }
  let total = 0;
  for (const source of sources) total += source.constant!.byteLength;
  return byteLength > total;
}

/** The wanted values become initializers; those of the nodes that nothing reads any more go. */
function replace(
  nodes: readonly Node[],
  wanted: readonly Value[],
  tensors: ReadonlyMap<Value, Tensor>,
  context: PassContext,
): void {
  const labels = nodes.map((node) => node.label);
  for (const value of wanted) makeConstant(value, tensors.get(value)!);
  for (const node of [...nodes].reverse()) {
    const idle = node.outputs.every((value) => value === null || value.useCount === 0);
    if (node.graph && idle) node.graph.remove(node);
  }
  context.applied(labels.filter((_, index) => !nodes[index]!.graph));
}

/**
 * Runs a model of constant nodes only, made to be run once: their copies, the constants they read, and the results wanted.
 * @param nodes in dependency order; they may stand in different graphs of `model`
 * @param known results computed before, which count as constants
 * @throws what the executor throws, and an Error for a result that is text
 */
async function evaluateConstants(
  model: Model,
  nodes: readonly Node[],
  wanted: readonly Value[],
  known: ReadonlyMap<Value, Tensor>,
  executor: Executor,
): Promise<Map<Value, Tensor>> {
  const graph = new Graph('constants', new Names());
  const copies = new Map<Value, Value>();
  const copyOf = (value: Value): Value => {
    let copy = copies.get(value);
    if (!copy) copies.set(value, (copy = graph.addInitializer((known.get(value) ?? value.constant)!)));
    return copy;
  };
  for (const node of nodes) {
    const inputs = node.inputs.map((value) => value && copyOf(value));
    const copy = graph.makeNode(node.opType, inputs, { name: node.name, domain: node.domain, outputs: [] });
    for (const [key, attribute] of node.attributes) copy.attributes.set(key, attribute);
    node.outputs.forEach((value, index) => {
      const output = value && graph.addValue(value.name);
      if (value && output) copies.set(value, output);
      copy.setOutput(index, output);
    });
    graph.append(copy);
  }
  for (const value of wanted) graph.addOutput(copies.get(value)!);
  const opsetImport = [...model.opsets].map(([domain, version]) => ({ domain, version }));
  const irVersion = Math.max(model.irVersion, 4);
  const results = await executor.run(new Model(graph, { irVersion, opsetImport }, model.dir), {});
  const tensors = new Map<Value, Tensor>();
  for (const value of wanted) {
    const { type, dims, data } = results[copies.get(value)!.name]!;
    if (type === 'string') throw new Error(`'${value.name}' is text`);
    tensors.set(value, Tensor.of(value.name, type, [...dims], data));
  }
  return tensors;
}
