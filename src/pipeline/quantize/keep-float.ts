/**
 * What was left float stays float: the graph that onnxruntime makes of the quantized model is held against the plan, and where it
 * draws a float node into int8, a barrier is put beside that node, until it does so no more. Where no barrier helps, a warning
 * says so.
 */
import { constantBytes } from '../../backends/session-files.ts';
import { drawnNodes } from '../../compare/placement.ts';
import { valueFinder, type Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import type { Plan, PlannedFloat } from '../../quantizable/plan.ts';
import { guardDrawn } from '../../quantized/barrier.ts';

/** Bytes of constants up to which a session is opened for this alone; the report looks at larger models. */
const limit = 2 ** 28;
/** Each round puts at least one barrier beside each node that was drawn; behind it and before it are the only places. */
const rounds = 4;

/** Changes the model in place. Returns warnings. @param name how errors call the model */
export async function keepPlannedFloat(model: Model, plan: Plan, name: string): Promise<string[]> {
  const left = leftFloat(model, plan);
  if (!mayBeDrawn(left.keys()) || constantBytes(model) > limit) return [];
  const floats = new Set(left.keys());
  const named = new Set([...left].filter(([, told]) => told.named).map(([node]) => node));
  for (let round = 0; ; round++) {
    const drawn = await drawnNodes(model, floats, named, name);
    const guarded = round < rounds ? drawn.filter(({ node, writesFloat }) => guardDrawn(node, writesFloat)) : [];
    if (guarded.length > 0) continue;
    return drawn.map(({ node, as }) => warning(left.get(node)!, as));
  }
}

function leftFloat(model: Model, plan: Plan): Map<Node, PlannedFloat> {
  const find = valueFinder(model);
  return new Map(
    plan.float.flatMap((told) => {
      const node = told.tensor === undefined ? undefined : find(told.tensor)?.producer;
      return node?.opType === told.op ? [[node, told] as const] : [];
    }),
  );
}

/** Only what stands beside quantizers, or behind something that may be moved away from between, can be drawn. */
function mayBeDrawn(floats: Iterable<Node>): boolean {
  for (const { inputs, outputs } of floats) {
    const readers = outputs.flatMap((value) => [...(value?.users.keys() ?? [])]);
    const makers = inputs.flatMap((value) => value?.producer ?? []);
    if ([...readers, ...makers].some((node) => node.is('QuantizeLinear', 'DequantizeLinear', 'Sum'))) return true;
  }
  return false;
}

function warning({ node, reason }: PlannedFloat, as: string): string {
  const how = as === 'weights' ? 'rounds its weights to int8' : `runs it in int8, as ${as}`;
  return `'${node}' was left float (${reason}), but onnxruntime ${how}, and no barrier keeps it from that`;
}
