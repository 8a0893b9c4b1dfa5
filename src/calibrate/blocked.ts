/**
 * Whole tensors as they lie. onnxruntime computes convolutions in blocks of channels (NCHWc), and what leaves the graph it first
 * puts back into rows: half the cost of an exact histogram, to which order means nothing. So the graph that it made of the augmented
 * one is read back, and its outputs are taken before they are reordered. Operators of this layout are internal to onnxruntime: who
 * runs the result compares it with the graph as it was (statistics-run.ts).
 */
import { blockSize } from '../backends/blocked-conv.ts';
import { constantBytes } from '../backends/session-files.ts';
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import { series } from './kernels/counter.ts';
import { activationFinder, setOutputs } from './probe.ts';
import { isBlocked, type Outlet, type Probe, type StatisticsGraph } from './statistics.ts';

/** Runs that make up for a second session, and for the file from which it is read. */
const worthwhile = 32;
/** Larger models stay as they are: they would be written to disk once more. */
const mostConstants = 2 ** 30;

/** Whether it would pay to leave tensors in blocks, in so many runs. */
export function canStayBlocked(model: Model, probes: readonly Probe[], runs: number): boolean {
  if (runs < worthwhile || constantBytes(model) > mostConstants) return false;
  const find = activationFinder(model);
  return probes.some(
    ({ elements, traced, tensor }) => elements === 'all' && traced?.dims.length === 4 && isBlocked(find(tensor)),
  );
}

/**
 * @param statistics with whole tensors in rows
 * @param optimized what onnxruntime made of its model, which is changed; to be opened without optimization
 * @returns the same with blocks instead; undefined when there are none
 */
export async function stayBlocked(statistics: StatisticsGraph, optimized: Model): Promise<StatisticsGraph | undefined> {
  const block = await blockSize();
  if (block === undefined || series % block !== 0) return undefined;
  const { graph } = optimized;
  const named = new Map(graph.outputs.map((value) => [value.name, value]));
  const elements = new Map<string, Outlet>();
  const outlets: Value[] = [];
  let found = false;
  for (const [tensor, outlet] of statistics.elements) {
    const rows = named.get(outlet.output)!;
    named.delete(outlet.output);
    const node = rows.producer;
    const reordered = outlet.whole && node?.opType === 'ReorderOutput' && node.int('channels_last', 0) === 0;
    const value = reordered ? node.input(0)! : rows;
    // The same blocks may be two tensors, and an output has one place to go to.
    const blocked = reordered && !outlets.includes(value);
    outlets.push(blocked ? value : rows);
    found ||= blocked === true;
    const whole = blocked ? { ...outlet.whole!, blocked: { channels: node.int('channels', 0), block } } : outlet.whole;
    elements.set(tensor, { ...outlet, output: blocked ? value.name : outlet.output, ...(whole && { whole }) });
  }
  if (!found) return undefined;
  setOutputs(graph, [...named.values(), ...outlets]);
  return { ...statistics, model: optimized, elements };
}
