/** What says a float type besides constants: declared types and attributes. Each function gives the same thing with float32 in its place. */
import type { Node } from '../../graph/node.ts';
import { dataType, dataTypeOfCode, type DataTypeName } from '../../onnx/data-types.ts';
import type { NodeProto, TypeProto } from '../../onnx/messages.ts';
import { isOtherFloat, widened } from '../../onnx/widened.ts';

const single = dataType('float32').code;

/** Float types that are to become float32. */
export type Wanted = ReadonlySet<DataTypeName>;

/** Attributes that name an element type by its code. */
const typeAttributes: ReadonlySet<string> = new Set([
  ...['to', 'dtype', 'output_datatype', 'output_dtype', 'stash_type', 'softmax_precision', 'precision'],
]);

function isWanted(code: unknown, wanted: Wanted): boolean {
  const type = dataTypeOfCode(Number(code ?? 0))?.name;
  return type !== undefined && wanted.has(type);
}

/** The very type when nothing in it changes. */
export function widenedType(type: TypeProto, wanted: Wanted): TypeProto {
  const { tensorType, sequenceType, optionalType, mapType } = type;
  if (tensorType) {
    return isWanted(tensorType.elemType, wanted) ? { ...type, tensorType: { ...tensorType, elemType: single } } : type;
  }
  const inner = (held: TypeProto | undefined): TypeProto | undefined => held && widenedType(held, wanted);
  for (const [key, held] of [
    ['sequenceType', sequenceType],
    ['optionalType', optionalType],
  ] as const) {
    const elemType = inner(held?.elemType);
    if (held && elemType !== held.elemType) return { ...type, [key]: { ...held, elemType } };
  }
  const valueType = inner(mapType?.valueType);
  return mapType && valueType !== mapType.valueType
    ? { ...type, mapType: { ...mapType, valueType: valueType! } }
    : type;
}

export function widenAttributes(node: Node, wanted: Wanted): void {
  for (const [name, attribute] of node.attributes) {
    if (attribute.kind === 'int' && typeAttributes.has(name) && isWanted(attribute.value, wanted)) {
      node.setInt(name, single);
    } else if (attribute.kind === 'tensor' && wanted.has(attribute.value.type.name)) {
      node.setTensor(name, widened(attribute.value));
    } else if (attribute.kind === 'opaque' && attribute.proto.tp) {
      const tp = widenedType(attribute.proto.tp, wanted);
      if (tp !== attribute.proto.tp) node.attributes.set(name, { kind: 'opaque', proto: { ...attribute.proto, tp } });
    }
  }
}

/** The other float types that a node of a function speaks of. */
export function* typesIn({ attribute }: NodeProto): Generator<DataTypeName> {
  for (const { name, i, t, g, graphs } of attribute ?? []) {
    const code = t?.dataType ?? (typeAttributes.has(name ?? '') ? i : undefined);
    const type = dataTypeOfCode(Number(code ?? 0))?.name;
    if (isOtherFloat(type)) yield type;
    for (const body of g ? [g] : (graphs ?? [])) for (const node of body.node ?? []) yield* typesIn(node);
  }
}

/** The same of a node that was read. */
export function typesOf(node: Node): DataTypeName[] {
  const found: (DataTypeName | undefined)[] = [];
  for (const [name, attribute] of node.attributes) {
    if (attribute.kind === 'int' && typeAttributes.has(name)) {
      found.push(dataTypeOfCode(Number(attribute.value))?.name);
    } else if (attribute.kind === 'tensor') found.push(attribute.value.type.name);
  }
  return found.filter(isOtherFloat);
}
