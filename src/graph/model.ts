/** A model: a main graph, the operator sets it is written in, and everything else of its file, kept as it was. */
import type { TensorValue } from '../onnx/data-types.ts';
import type { Node } from './node.ts';
import type { FunctionProto, ModelProto } from '../onnx/messages.ts';
import type { Graph } from './graph.ts';
import type { Value } from './value.ts';

/** A model in memory. `origin` is the message it was read from; what was not changed is written from there. */
export class Model {
  readonly graph: Graph;
  readonly origin: ModelProto;
  /** Folder against which external data is resolved; undefined for a model that never was a file. */
  readonly dir: string | undefined;
  irVersion: number;
  /** Version by domain; the default domain is ''. */
  readonly opsets: Map<string, number>;
  functions: FunctionProto[];
  /** metadata_props of the model. */
  readonly metadata: Map<string, string>;

  constructor(graph: Graph, origin: ModelProto, dir: string | undefined) {
    this.graph = graph;
    this.origin = origin;
    this.dir = dir;
    this.irVersion = Number(origin.irVersion ?? 0);
    this.opsets = new Map((origin.opsetImport ?? []).map((o) => [normalDomain(o.domain), Number(o.version ?? 0)]));
    this.functions = origin.functions ?? [];
    this.metadata = new Map((origin.metadataProps ?? []).map((p) => [p.key ?? '', p.value ?? '']));
  }

  /** Version of the default operator set. */
  get opset(): number {
    return this.opsets.get('') ?? 1;
  }

  /** Every node, body graphs included, outer nodes before the inner ones they own. */
  *allNodes(): Generator<Node> {
    for (const graph of this.graph.graphs()) yield* graph.nodes();
  }

  /** The graph inputs that a caller must feed: those without a default value. */
  get feeds(): Graph['inputs'] {
    return this.graph.inputs.filter((value) => value.initializer === undefined);
  }
}

/**
 * Finds a value by name in the main graph and in every body, where names are unique in the whole model (the pass
 * unique-names sees to that). Bodies that are added later are not searched.
 */
export function valueFinder(model: Model): (name: string) => Value | undefined {
  const graphs = [...model.graph.graphs()];
  return (name) => {
    for (const { values } of graphs) if (values.has(name)) return values.get(name);
    return undefined;
  };
}

/** Maps 'ai.onnx' and an absent domain to '', the default domain. */
export function normalDomain(domain: string | undefined): string {
  return domain === undefined || domain === 'ai.onnx' ? '' : domain;
}

/** Domains whose operators onnxruntime brings along. Any other is a local function, or somebody's own library. */
const known: ReadonlySet<string> = new Set([
  ...['', 'ai.onnx.ml', 'ai.onnx.training', 'ai.onnx.preview.training', 'com.microsoft', 'com.microsoft.nchwc'],
  ...[
    'com.microsoft.experimental',
    'com.microsoft.dml',
    'com.ms.internal.nhwc',
    'com.ms.internal.nchw',
    'org.pytorch.aten',
  ],
]);

/** Lists nodes of operators that neither onnxruntime nor the model's functions define: only a library of the user's has them. */
export function customNodes(model: Model): Node[] {
  const functions = new Set(model.functions.map(({ domain, name }) => `${domain ?? ''}:${name ?? ''}`));
  return [...model.allNodes()].filter(
    ({ domain, opType }) => !known.has(domain) && !functions.has(`${domain}:${opType}`),
  );
}

/** Whether onnxruntime brings operators of this domain along. */
export function isKnownDomain(domain: string): boolean {
  return known.has(domain);
}

/** What the rooms without `node:` imports may ask of a runtime: run a small graph once. `backends` implements it with onnxruntime-node. */
export interface Executor {
  /** Runs the model on named inputs and returns every graph output. */
  run(model: Model, feeds: Readonly<Record<string, TensorValue>>): Promise<Record<string, TensorValue>>;
}
