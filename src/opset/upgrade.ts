/**
 * Upgrades a model to a later version of the default operator set, in place: the main graph, the bodies of its control flow
 * and its functions. Every change of an operator on the way is either known to leave nodes alone, or carried out by an
 * adapter, or refused by name. Other domains pass through untouched.
 * A change of meaning needs an adapter, a mere widening of types needs none. How far a model goes is found by fusing
 * (pipeline/upgrade.ts).
 */
import type { QdqError } from '../errors/qdq-error.ts';
import { opsetErrors } from '../errors/graph.ts';
import { elementTypes, type ElementTypes } from '../graph/element-types.ts';
import { createFacts } from '../graph/facts.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import type { DataTypeName } from '../onnx/data-types.ts';
import type { Adapter } from './adapter.ts';
import { adapters } from './adapters/index.ts';
import {
  isCompatible,
  runtimeOperators,
  leastIrVersion,
  newestOpset,
  oldestOpset,
  versionAt,
  versionsOf,
  type OperatorVersion,
} from './versions.ts';
import { upgradeFunction } from './functions.ts';

/** A node that was rewritten. */
export interface Adapted {
  /** Its label; nodes of a function say so. */
  readonly node: string;
  /** Its operator in the file. */
  readonly op: string;
  /** The version of that operator before, and the one up to which it was rewritten. */
  readonly from: number;
  readonly to: number;
}

export interface UpgradeLog {
  readonly from: number;
  readonly to: number;
  readonly adapted: readonly Adapted[];
}

/**
 * Does nothing when the model is of this opset or a later one. After an error the model is half upgraded and of no use.
 * @param target an opset up to `newestOpset`
 * @throws OPSET_UNKNOWN, OPSET_TOO_OLD, OPSET_CANNOT_UPGRADE
 */
export function upgradeOpset(model: Model, target: number): UpgradeLog {
  const from = model.opset;
  if (from >= target) return { from, to: from, adapted: [] };
  if (target > newestOpset) throw opsetErrors.unknown(target, newestOpset);
  if (from < oldestOpset) throw opsetErrors.tooOld('the model', from, target, oldestOpset);
  const adapted = upgradeNodes(model, from, target);
  model.functions = model.functions.map((proto) => upgradeFunction(proto, target, model.dir, upgradeNodes, adapted));
  model.opsets.set('', target);
  model.irVersion = Math.max(model.irVersion, leastIrVersion(target));
  return { from, to: target, adapted };
}

const adapterOf = new Map<string, Adapter>();
for (const adapter of adapters) for (const op of adapter.ops) adapterOf.set(`${op} ${adapter.version}`, adapter);

/** @param suffix what to add to a node's label: the function it stands in */
function upgradeNodes(model: Model, from: number, target: number, suffix = ''): Adapted[] {
  const log = new Map<Node, Adapted | undefined>();
  for (const node of nodesOf(model)) {
    checkKnown(node, from, target, suffix);
    log.set(node, undefined);
  }
  let types: ElementTypes | undefined;
  const facts = createFacts();
  const typeOf = (value: Value | undefined): DataTypeName | undefined =>
    value && (types ??= elementTypes(model)).get(value);
  for (let version = from + 1; version <= target; version++) {
    // A list of its own: what an adapter inserts is of this version already.
    for (const node of nodesOf(model)) {
      const { opType: op } = node;
      const change = versionsOf(op).find((each) => each.version === version);
      if (!change) continue;
      const label = node.label + suffix;
      const cannot = (reason: string): QdqError => opsetErrors.cannotUpgrade(label, op, from, version, reason);
      const changed = adapterFor(node, change, cannot)?.adapt(node, {
        cannot,
        get type() {
          return typeOf(node.output()) ?? typeOf(node.input(0));
        },
        get dims() {
          return facts.of(node.input(0)).dims;
        },
      });
      if (!changed || !log.has(node)) continue;
      const before = log.get(node) ?? { node: label, op, from: versionAt(op, from)! };
      log.set(node, { ...before, to: version });
    }
  }
  return [...log.values()].filter((each) => each !== undefined);
}

function nodesOf(model: Model): Node[] {
  return [...model.allNodes()].filter((node) => node.domain === '');
}

/** An operator that no schema describes, or only one of a later opset, may mean anything. */
function checkKnown(node: Node, from: number, target: number, suffix: string): void {
  const { opType, label } = node;
  if (versionAt(opType, from) !== undefined || runtimeOperators.has(opType)) return;
  throw opsetErrors.cannotUpgrade(label + suffix, opType, from, target, `opset ${from} has no such operator`);
}

/** What must be done to this node where its operator has a new version: nothing, most of the time. */
function adapterFor(node: Node, change: OperatorVersion, cannot: (reason: string) => QdqError): Adapter | undefined {
  const { opType } = node;
  const adapter = adapterOf.get(`${opType} ${change.version}`);
  if (!adapter) {
    if (!isCompatible(opType, change)) throw cannot('the operator changed its meaning');
    return undefined;
  }
  for (const [name, attribute] of node.attributes) {
    if (attribute.proto?.refAttrName) throw cannot(`its attribute '${name}' is a parameter of the function`);
  }
  return adapter;
}
