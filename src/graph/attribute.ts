/** Attributes ⇄ messages. An attribute that was not replaced keeps its message and is saved as it was read. */
import { attributeTypes, type AttributeProto, type Int64 } from '../onnx/messages.ts';
import { Tensor } from '../onnx/tensor.ts';
import type { Graph } from './graph.ts';

export type Attribute = { readonly proto?: AttributeProto } & (
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'int'; readonly value: Int64 }
  | { readonly kind: 'string'; readonly value: Uint8Array }
  | { readonly kind: 'tensor'; readonly value: Tensor }
  | { readonly kind: 'graph'; readonly value: Graph }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'ints'; readonly value: readonly Int64[] }
  | { readonly kind: 'strings'; readonly value: readonly Uint8Array[] }
  | { readonly kind: 'graphs'; readonly value: readonly Graph[] }
  /** Sparse tensors, type descriptions, references to function attributes: carried, not interpreted. */
  | { readonly kind: 'opaque'; readonly proto: AttributeProto }
);

/** `type` may be absent in IR < 4 files: then the field that is present tells. */
function kindOf(proto: AttributeProto): Attribute['kind'] {
  if (proto.refAttrName) return 'opaque';
  switch (proto.type ?? 0) {
    case attributeTypes.float:
      return 'float';
    case attributeTypes.int:
      return 'int';
    case attributeTypes.string:
      return 'string';
    case attributeTypes.tensor:
      return 'tensor';
    case attributeTypes.graph:
      return 'graph';
    case attributeTypes.floats:
      return 'floats';
    case attributeTypes.ints:
      return 'ints';
    case attributeTypes.strings:
      return 'strings';
    case attributeTypes.graphs:
      return 'graphs';
    case 0:
      break;
    default:
      return 'opaque';
  }
  if (proto.f !== undefined) return 'float';
  if (proto.i !== undefined) return 'int';
  if (proto.s !== undefined) return 'string';
  if (proto.t !== undefined) return 'tensor';
  if (proto.g !== undefined) return 'graph';
  if (proto.floats?.length) return 'floats';
  if (proto.ints?.length) return 'ints';
  if (proto.strings?.length) return 'strings';
  if (proto.graphs?.length) return 'graphs';
  return 'opaque';
}

/** `readGraph` builds the body graphs in the scope of the node; `dir` is the folder of external data. */
export function attributeFromProto(
  proto: AttributeProto,
  readGraph: (g: NonNullable<AttributeProto['g']>) => Graph,
  dir: string | undefined,
): Attribute {
  const kind = kindOf(proto);
  switch (kind) {
    case 'float':
      return { kind, value: proto.f ?? 0, proto };
    case 'int':
      return { kind, value: proto.i ?? 0, proto };
    case 'string':
      return { kind, value: proto.s ?? new Uint8Array(), proto };
    case 'tensor':
      return { kind, value: Tensor.fromProto(proto.t ?? {}, dir), proto };
    case 'graph':
      return { kind, value: readGraph(proto.g ?? {}), proto };
    case 'floats':
      return { kind, value: proto.floats ?? [], proto };
    case 'ints':
      return { kind, value: proto.ints ?? [], proto };
    case 'strings':
      return { kind, value: proto.strings ?? [], proto };
    case 'graphs':
      return { kind, value: (proto.graphs ?? []).map(readGraph), proto };
    case 'opaque':
      return { kind, proto };
  }
}

export function attributeToProto(
  name: string,
  attribute: Attribute,
  writeGraph: (graph: Graph) => NonNullable<AttributeProto['g']>,
): AttributeProto {
  const { kind, proto } = attribute;
  if (kind === 'graph') return { ...proto, name, type: attributeTypes.graph, g: writeGraph(attribute.value) };
  if (kind === 'graphs') {
    return { ...proto, name, type: attributeTypes.graphs, graphs: attribute.value.map(writeGraph) };
  }
  if (proto) return proto.name === name ? proto : { ...proto, name };
  switch (kind) {
    case 'float':
      return { name, f: attribute.value, type: attributeTypes.float };
    case 'int':
      return { name, i: attribute.value, type: attributeTypes.int };
    case 'string':
      return { name, s: attribute.value, type: attributeTypes.string };
    case 'tensor':
      return { name, t: attribute.value.toProto(), type: attributeTypes.tensor };
    case 'floats':
      return { name, floats: [...attribute.value], type: attributeTypes.floats };
    case 'ints':
      return { name, ints: [...attribute.value], type: attributeTypes.ints };
    case 'strings':
      return { name, strings: [...attribute.value], type: attributeTypes.strings };
    case 'opaque':
      return attribute.proto;
  }
}
