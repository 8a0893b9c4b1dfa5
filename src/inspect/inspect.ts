/**
 * What is in a model, what fusion would make of it, and what would run in int8 on a target. The file is only read:
 * fusion and planning work on the model in memory. A part that cannot be told says why, and the rest is told all the
 * same.
 */
import { chosenTarget } from '../pipeline/scheme.ts';
import { statSync } from 'node:fs';
import { createExecutor } from '../backends/session.ts';
import { QdqError } from '../errors/qdq-error.ts';
import { widen } from '../intrinsic/widen/widen.ts';
import { modelFromFile } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import type { Applied, Refused } from '../intrinsic/pass.ts';
import { loadModel, type ModelFile } from '../onnx/model-file.ts';
import { modelTensors } from '../onnx/model-tensors.ts';
import { Tensor } from '../onnx/tensor.ts';
import { survivors } from '../pipeline/source/source.ts';
import { opsetsFor, upgradeAndFuse } from '../pipeline/source/upgrade.ts';
import { toFloatNode, type FloatNode } from '../quantizable/plan.ts';
import { planQuantization } from '../quantizable/planner.ts';
import { leastOpset, resolveScheme } from '../quantizable/scheme.ts';

export interface InspectOptions {
  /** Default: this machine. */
  readonly target?: string;
  /** Default: latency. */
  readonly optimize?: 'latency' | 'accuracy' | 'size';
  /** As for quantize: node names, operator types or /regular expressions/. */
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** As for quantize: to which an older model is upgraded, and no further. */
  readonly opset?: number;
}

export interface PortInfo {
  readonly name: string;
  /** Element type; null for what is not a tensor or has no declared type. */
  readonly type: string | null;
  /** A symbolic dimension is its name, an unknown one null; null instead of the list when the rank is unknown. */
  readonly dims: readonly (number | string | null)[] | null;
}

export interface TypeTotals {
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
}

/** Something that could not be found out, as the error that the real command would end with. */
export interface Problem {
  readonly code: string;
  readonly problem: string;
  readonly hint?: string;
}

export interface Inspection {
  readonly path: string;
  readonly bytes: number;
  readonly externalData: readonly { readonly path: string; readonly bytes: number | null }[];
  readonly ir: number;
  readonly opsets: Readonly<Record<string, number>>;
  readonly producer: { readonly name: string; readonly version: string };
  readonly inputs: readonly PortInfo[];
  readonly outputs: readonly PortInfo[];
  /** Nodes of the graph and of all body graphs (If, Loop, Scan). */
  readonly nodes: number;
  readonly unnamedNodes: number;
  readonly bodyGraphs: number;
  readonly functions: number;
  readonly operators: Readonly<Record<string, number>>;
  /** Every tensor stored in the model, by element type. */
  readonly parameters: TypeTotals & { readonly byType: Readonly<Record<string, TypeTotals>> };
  /** Number of QuantizeLinear and DequantizeLinear nodes: more than 0 means that it is quantized already. */
  readonly quantizeNodes: number;
  readonly fusion:
    | { readonly nodesAfter: number; readonly applied: readonly Applied[]; readonly refused: readonly Refused[] }
    | Problem;
  readonly quantization:
    | { readonly target: string; readonly int8: Readonly<Record<string, number>>; readonly float: readonly FloatNode[] }
    | Problem;
}

/** @throws QdqError when the file cannot be read or its graph contradicts itself, for an unknown target, or an opset that is too low for it */
export async function inspectModel(path: string, options: InspectOptions = {}): Promise<Inspection> {
  const target = chosenTarget(options.target);
  const file = loadModel(path);
  try {
    const model = modelFromFile(file);
    const facts = factsOf(file, model);
    const scheme = resolveScheme(target, {});
    const opsets = opsetsFor(options.opset, leastOpset(scheme, target), target.fusedOpset);
    let fused = model;
    const fusion = await attempt(async () => {
      const { model, log } = await upgradeAndFuse(
        () => {
          const copy = modelFromFile(file);
          widen(copy);
          return copy;
        },
        createExecutor(),
        opsets,
      );
      fused = model;
      return { nodesAfter: [...model.allNodes()].length, applied: log.applied, refused: log.refused };
    });
    const quantization = await attempt(async () => {
      const merged = 'problem' in fusion ? new Map<string, string>() : survivors(fusion);
      const plan = planQuantization(fused, { ...options, target, scheme, fused: merged });
      return {
        target: target.name,
        int8: countBy(plan.regions.map(({ op }) => op)),
        float: plan.float.map(toFloatNode),
      };
    });
    return { ...facts, fusion, quantization };
  } finally {
    file.close();
  }
}

function factsOf(file: ModelFile, model: Model): Omit<Inspection, 'fusion' | 'quantization'> {
  const nodes = [...model.allNodes()];
  return {
    path: file.path,
    bytes: file.byteLength,
    externalData: file
      .externalFiles()
      .map((each) => ({ path: each, bytes: statSync(each, { throwIfNoEntry: false })?.size ?? null })),
    ir: model.irVersion,
    opsets: Object.fromEntries([...model.opsets].map(([domain, version]) => [domain || 'ai.onnx', version])),
    producer: { name: file.proto.producerName ?? '', version: file.proto.producerVersion ?? '' },
    inputs: model.feeds.map(portOf),
    outputs: model.graph.outputs.map(portOf),
    nodes: nodes.length,
    unnamedNodes: nodes.filter(({ name }) => name === '').length,
    bodyGraphs: [...model.graph.graphs()].length - 1,
    functions: model.functions.length,
    operators: countBy(nodes.map(({ domain, opType }) => (domain === '' ? opType : `${domain}.${opType}`))),
    parameters: parametersOf(file),
    quantizeNodes: nodes.filter((node) => node.is('QuantizeLinear', 'DequantizeLinear')).length,
  };
}

function parametersOf(file: ModelFile): Inspection['parameters'] {
  const total = { tensors: 0, elements: 0, bytes: 0 };
  const byType: Record<string, { tensors: number; elements: number; bytes: number }> = {};
  for (const { proto } of modelTensors(file.proto)) {
    const { type, size, byteLength } = Tensor.fromProto(proto, file.dir);
    for (const sums of [total, (byType[type.name] ??= { tensors: 0, elements: 0, bytes: 0 })]) {
      sums.tensors++;
      sums.elements += size;
      sums.bytes += byteLength;
    }
  }
  return { ...total, byType };
}

function portOf(value: Value): PortInfo {
  return { name: value.name, type: value.type ?? null, dims: value.dims ?? null };
}

/** Keys in the order of the alphabet, so that two inspections can be compared as text. */
function countBy(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of [...words].sort()) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

/** Data problems become part of the answer; a wrong --include is the user's, and a fault of qdq is nobody's answer. */
async function attempt<T>(work: () => Promise<T>): Promise<T | Problem> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof QdqError) || error.kind !== 'data') throw error;
    return { code: error.code, problem: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  }
}
