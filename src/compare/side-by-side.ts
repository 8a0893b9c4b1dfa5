/**
 * What became of each node of a float model in the one quantized from it: which kernel of onnxruntime does its work, in int8 or
 * in float, or in which other kernel it has vanished. Nodes pair as tensors do: by the record that quantization left in the model,
 * else by structure, never by guessing from names alone.
 */
import { elementTypes } from '../graph/element-types.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { writtenNode } from './executed.ts';
import type { Pairing } from './layers/pairing.ts';
import { bare } from './layers/quantizers.ts';
import { matchStructure } from './layers/structure.ts';
import { isCompute, kindOf, type PlacementResult } from './placement.ts';
import { isDequantize, isQuantize } from './regions.ts';

/** Of a node of the fused float model. */
export interface NodeFate {
  readonly node: string;
  readonly op: string;
  /** Nodes of the float file that fusion merged into it. */
  readonly fused: readonly string[];
  /** `absorbed`: another node's kernel does its work; `gone`: nothing in the other model has its place. */
  readonly fate: 'int8' | 'float' | 'not-fused' | 'absorbed' | 'gone';
  /** onnxruntime's operator that does its work. */
  readonly kernel?: string;
  /** The node of the quantized model in whose kernel it vanished. */
  readonly into?: string;
  readonly reason?: string;
}

/** @param merged nodes of the float file by the node of the fused model that they became part of */
export function placeSideBySide(
  pairing: Pairing,
  executed: Model,
  { nodes: rows }: Pick<PlacementResult, 'nodes'>,
  merged: ReadonlyMap<string, readonly string[]>,
): NodeFate[] {
  const { reference, quant } = pairing;
  const written = new Map([...quant.allNodes()].map((node) => [node.label, node]));
  const kernels = new Map<Node, Node>();
  const types = elementTypes(executed);
  for (const node of executed.allNodes()) {
    if (kindOf(node, types) === 'conversion') continue;
    // One kernel may stand for several nodes: Slices of one tensor become a Split.
    const makers = node.outputs.map((output) => output && quant.graph.values.get(output.name)?.producer);
    for (const origin of [writtenNode(node, quant, written), ...makers])
      if (origin && !kernels.has(origin)) kernels.set(origin, node);
  }
  const partners = pairNodes(pairing, written);
  const reasons = new Map(rows.map((row) => [row.name, row]));
  const floatTypes = elementTypes(reference);
  return [...reference.allNodes()]
    .filter((node) => isCompute(node, floatTypes))
    .map((node): NodeFate => {
      const head = { node: node.label, op: node.opType, fused: merged.get(node.label) ?? [] };
      const partner = partners.get(node);
      if (!partner) return { ...head, fate: 'gone', reason: 'no node of the other model has its place' };
      const kernel = kernels.get(partner);
      const vanished = kernel === undefined || partner.opType !== node.opType;
      const into = vanished ? absorber(partner, kernels, partner.opType !== node.opType) : undefined;
      if (into) return { ...head, fate: 'absorbed', kernel: kernels.get(into)!.opType, into: into.label };
      if (!kernel) return { ...head, fate: 'gone', reason: 'onnxruntime computed it beforehand, or found it needless' };
      const row = reasons.get(partner.label);
      const kind = row?.placement ?? (kindOf(kernel, types) === 'int8' ? 'int8' : 'float');
      return { ...head, fate: kind, kernel: kernel.opType, ...(row?.reason !== undefined && { reason: row.reason }) };
    });
}

/** The node of the quantized model by the node of the float one. */
function pairNodes({ pairs, reference, quant, how }: Pairing, written: ReadonlyMap<string, Node>): Map<Node, Node> {
  const partners = new Map<Node, Node>();
  const pair = (node: Node | undefined, partner: Node | undefined): void => {
    if (!node || !partner || partners.has(node) || isQuantize(partner) || isDequantize(partner)) return;
    partners.set(node, partner);
    // A limiter whose place a quantizer has taken: what it limits makes the tensor now.
    const limited = node.input(0)?.producer;
    if (node.opType !== partner.opType && limited?.opType === partner.opType) pair(limited, partner);
  };
  // The record speaks of tensors; emission keeps the labels of the nodes of that very graph.
  if (how === 'record')
    for (const node of reference.allNodes()) {
      const partner = written.get(node.label);
      if (partner?.opType === node.opType) pair(node, partner);
    }
  for (const { value, quantizer, origin } of pairs) {
    const made = quantizer?.kind === 'activation' ? bare(value.producer!.input(0)!) : quantizer ? undefined : value;
    pair(origin?.producer, made?.producer);
  }
  for (const [value, origin] of matchStructure(reference, quant)) pair(origin.producer, value.producer);
  return partners;
}

/** The node with a kernel into which this one was folded: the one before it, like an activation, or after it. */
function absorber(node: Node, kernels: ReadonlyMap<Node, Node>, itself: boolean): Node | undefined {
  if (itself && kernels.has(node)) return node;
  const before = node.input(0) && bare(node.input(0)!).producer;
  if (before && kernels.has(before)) return before;
  const user = node.output()?.soleUser;
  return user && kernels.has(user) ? user : undefined;
}
