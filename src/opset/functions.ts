/** Model-local functions: their nodes are upgraded like a graph's, but constants must stand as Constant nodes. */
import { opsetErrors } from '../errors/graph.ts';
import { modelFromProto } from '../graph/from-proto.ts';
import { normalDomain, type Model } from '../graph/model.ts';
import { graphToProto } from '../graph/to-proto.ts';
import {
  attributeTypes,
  type FunctionProto,
  type GraphProto,
  type NodeProto,
  type TensorProto,
} from '../onnx/messages.ts';
import type { Adapted } from './upgrade.ts';
import { oldestOpset } from './versions.ts';

type UpgradeNodes = (model: Model, from: number, target: number, suffix: string) => Adapted[];

/**
 * The function at the new opset; the very same message when it imports none of the default domain or a later one.
 * @param dir folder of the model's file, for tensors stored as external data
 * @param log gets what was rewritten
 * @throws OPSET_TOO_OLD, OPSET_CANNOT_UPGRADE
 */
export function upgradeFunction(
  proto: FunctionProto,
  target: number,
  dir: string | undefined,
  upgradeNodes: UpgradeNodes,
  log: Adapted[],
): FunctionProto {
  const from = Number(proto.opsetImport?.find(({ domain }) => normalDomain(domain) === '')?.version ?? target);
  if (from >= target) return proto;
  const name = proto.name ?? '';
  if (from < oldestOpset) throw opsetErrors.tooOld(`function '${name}'`, from, target, oldestOpset);
  const opsetImport = proto.opsetImport!.map((each) =>
    normalDomain(each.domain) === '' ? { ...each, version: target } : each,
  );
  const model = modelFromProto({ graph: asGraph(proto) }, dir);
  const adapted = upgradeNodes(model, from, target, ` of function ${name}`);
  if (adapted.length === 0) return { ...proto, opsetImport };
  log.push(...adapted);
  const { node = [], initializer = [] } = graphToProto(model.graph);
  return { ...proto, opsetImport, node: [...initializer.map(constantNode), ...node] };
}

function asGraph({ name, input, output, node, valueInfo }: FunctionProto): GraphProto {
  return {
    ...(name === undefined ? {} : { name }),
    input: (input ?? []).map((each) => ({ name: each })),
    output: (output ?? []).map((each) => ({ name: each })),
    node: node ?? [],
    valueInfo: valueInfo ?? [],
  };
}

function constantNode(tensor: TensorProto): NodeProto {
  const value = { name: 'value', type: attributeTypes.tensor, t: tensor };
  return { opType: 'Constant', input: [], output: [tensor.name!], attribute: [value] };
}
