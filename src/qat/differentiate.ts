/**
 * Reverse-mode differentiation. The graph is walked from the loss back to the trained tensors; each operator's own rule
 * (`ops/op.ts`) appends standard operators that compute the gradients of its inputs. Only nodes on a path between a trained
 * tensor and the loss are touched. Comparisons, shapes, indices and all other integer tensors end a path. Gradients are added up at
 * fan-out. All nodes without a gradient are refused at once, with the graph put back as it was; a rule that leaves a wanted input without
 * gradient is a refusal too, never a silent zero.
 *
 * QuantizeLinear → (Clip) → DequantizeLinear is differentiated as one unit, with the mask at the exact bounds (inclusive; PyTorch's is half
 * a step wider) and the LSQ gradient of the scale, summed element by element because the two sums alone cancel.
 */
import { qatErrors, type NotDifferentiable } from '../errors/qat.ts';
import { Emitter } from '../graph/emitter.ts';
import type { Graph } from '../graph/graph.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { topological } from '../graph/walk.ts';
import { staticDims, type AxisMap, type GradientContext } from '../ops/gradient/context.ts';
import { specOf } from '../ops/index.ts';

/** Gradients are written for operator sets from this one on: ScatterElements adds since 16. */
export const leastGradientOpset = 16;

/**
 * Appends gradient nodes to the main graph. Values must carry their types and static shapes (`traceShapes`), and the model
 * must be of opset 16 or later. When it throws, the graph is as it was.
 * @param loss float32, one element
 * @param wrt graph inputs, constants or inner values, float32
 * @param maps the linear maps of Resize nodes (`resizeMaps`); without them a Resize has no gradient
 * @returns the gradient of the loss with respect to each value of `wrt`, in the shape of that value
 * @throws QAT_NOT_DIFFERENTIABLE, QAT_UNREACHABLE, QAT_LOSS, QAT_SHAPE
 */
export function differentiate(
  graph: Graph,
  loss: Value,
  wrt: readonly Value[],
  maps: ReadonlyMap<Node, readonly AxisMap[]> = new Map(),
): Map<Value, Value> {
  const path = pathsBetween(graph, wrt, loss);
  checkLoss(loss);
  const unreachable = wrt.filter((value) => !path.values.has(value));
  if (unreachable.length > 0) throw qatErrors.unreachable(unreachable.map((value) => value.name));
  const emit = new Emitter(graph, 'grad');
  try {
    return sweep(emit, path, loss, wrt, maps);
  } catch (error) {
    emit.undo();
    throw error;
  }
}

/** Picks those of `values` on which the loss depends differentiably. */
export function influences(graph: Graph, loss: Value, values: readonly Value[]): Value[] {
  const path = pathsBetween(graph, values, loss);
  return values.filter((value) => path.values.has(value));
}

/** What lies between the trained tensors and the loss. */
interface Path {
  /** In dependency order. */
  readonly nodes: readonly Node[];
  /** Values that depend on a trained tensor and on which the loss depends, both included. */
  readonly values: ReadonlySet<Value>;
}

function pathsBetween(graph: Graph, wrt: readonly Value[], loss: Value): Path {
  const order = topological(graph);
  const active = new Set(wrt);
  for (const node of order) {
    if (!sourcesOf(node).some((value) => active.has(value))) continue;
    for (const output of node.outputs) if (output && carriesGradient(output)) active.add(output);
  }
  const values = new Set<Value>(active.has(loss) ? [loss] : []);
  const nodes: Node[] = [];
  for (const node of [...order].reverse()) {
    if (!node.outputs.some((output) => output && values.has(output))) continue;
    const sources = sourcesOf(node).filter((value) => active.has(value));
    if (sources.length === 0) continue;
    nodes.push(node);
    for (const value of sources) values.add(value);
  }
  return { nodes: nodes.reverse(), values };
}

/** Values on which the node's outputs depend differentiably, as far as shapes and types tell. */
function sourcesOf(node: Node): Value[] {
  const own = specOf(node)?.gradientSources?.(node);
  if (own) return [...own];
  const sources = node.inputs.filter((value) => value !== null && carriesGradient(value)) as Value[];
  for (const body of node.subgraphs()) sources.push(...capturedBy(body));
  return sources;
}

function capturedBy(body: Graph): Value[] {
  const captured = [...body.nodes()].flatMap(sourcesOf).concat(body.outputs);
  return captured.filter((value) => value.graph !== body && carriesGradient(value));
}

const floats = new Set(['float32', 'float16', 'float64', 'bfloat16']);

/** An unknown type may be float: then the path is followed, and refused where it cannot be. */
function carriesGradient(value: Value): boolean {
  return value.type === undefined || floats.has(value.type);
}

function checkLoss(loss: Value): void {
  if (loss.type !== 'float32') throw qatErrors.loss(loss.name, `it is ${loss.type ?? 'of unknown type'}`);
  const dims = staticDims(loss);
  if (dims.some((dim) => dim !== 1)) throw qatErrors.loss(loss.name, `its shape is [${dims.join(', ')}]`);
}

function sweep(
  emit: Emitter,
  path: Path,
  loss: Value,
  wrt: readonly Value[],
  maps: ReadonlyMap<Node, readonly AxisMap[]>,
): Map<Value, Value> {
  const parts = new Map<Value, Value[]>();
  const totals = new Map<Value, Value>();
  const add = (value: Value, gradient: Value): void => {
    const list = parts.get(value);
    if (list) list.push(gradient);
    else parts.set(value, [gradient]);
  };
  /** All consumers of a value have been visited when it is asked for. */
  const total = (value: Value): Value | undefined => {
    const list = parts.get(value);
    if (!list) return undefined;
    let sum = totals.get(value);
    if (!sum)
      totals.set(value, (sum = list.length === 1 ? list[0]! : emit.op(list.length === 2 ? 'Add' : 'Sum', list)));
    return sum;
  };
  add(loss, emit.floats(staticDims(loss), [1]));
  const refused: NotDifferentiable[] = [];
  const needs = (value: Value): boolean => path.values.has(value);
  for (const node of [...path.nodes].reverse()) {
    emit.scope = `grad/${node.label}`;
    if (!node.outputs.some((output) => output && total(output))) continue;
    const given = new Set<Value>();
    const context: GradientContext = {
      node,
      emit,
      gradient: (index) => {
        const output = node.output(index);
        return output && total(output);
      },
      maps: maps.get(node),
      needs,
      add: (value, gradient) => {
        given.add(value);
        add(value, gradient);
      },
    };
    const reason = refusal(node, needs) ?? specOf(node)!.gradient!(context) ?? forgotten(node, needs, given);
    if (reason === undefined) continue;
    refused.push({ node: node.label, opType: node.opType, reason });
    // A stand-in, so that the nodes before this one are asked as well and all refusals are reported at once.
    for (const value of sourcesOf(node).filter(needs)) if (!parts.has(value)) add(value, emit.scalar(0));
  }
  if (refused.length > 0) throw qatErrors.notDifferentiable(refused.reverse());
  emit.scope = 'grad';
  return new Map(wrt.map((value) => [value, total(value)!]));
}

/** A wanted gradient that the rule did not compute must not pass for zero. */
function forgotten(node: Node, needs: (value: Value) => boolean, given: ReadonlySet<Value>): string | undefined {
  const value = sourcesOf(node).find((source) => needs(source) && !given.has(source));
  return value && `qdq has no gradient of this operator for its input '${value.name}'`;
}

/** What keeps every rule from being asked. */
function refusal(node: Node, needs: (value: Value) => boolean): string | undefined {
  for (const value of [...node.inputs, ...node.outputs]) {
    if (value && needs(value) && value.type !== undefined && value.type !== 'float32') {
      return `'${value.name}' is ${value.type}, and gradients are computed in float32`;
    }
  }
  if (node.subgraphs().length > 0) return 'there are no gradients through the bodies of control flow';
  if (specOf(node)?.gradient) return undefined;
  return node.domain === ''
    ? 'qdq has no gradient of this operator'
    : `operators of domain '${node.domain}' have no gradient`;
}
