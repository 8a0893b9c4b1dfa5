/**
 * Where a TensorProto keeps its elements: raw_data, or the typed field of its data type. A typed field arrives as
 * packed wire chunks, or element by element among the unknown fields when the file has it unpacked; both give the same
 * little-endian layout that raw_data has.
 */
import { onnxErrors } from '../errors/onnx.ts';
import { chunks, JoinedBytes, toBytes } from './bytes.ts';
import { byteLengthOf, type DataTypeInfo } from './data-types.ts';
import type { Payload, TensorProto } from './messages.ts';
import { tensorFieldNumbers } from './schema.ts';

const chunkSize = 2 ** 20;

/** The elements in the layout of raw_data; its length is what the proto holds, right or wrong. */
export function inlinePayload(proto: TensorProto, type: DataTypeInfo, count: number): Payload {
  if (proto.rawData) return proto.rawData;
  const parts = typedField(proto, type);
  if (type.field === 'floatData' || type.field === 'doubleData')
    return parts.length === 1 ? parts[0]! : new JoinedBytes(parts);
  return decodeVarints(parts, new type.array(new ArrayBuffer(byteLengthOf(type, count))));
}

/** A copy without any stored elements, for new ones to be put in. */
export function withoutData(proto: TensorProto): TensorProto {
  const copy = { ...proto };
  for (const field of storedIn) delete copy[field];
  if (copy.$unknowns) copy.$unknowns = copy.$unknowns.filter((unknown) => !numericNumbers.has(fieldNumber(unknown)));
  return copy;
}

const numericFields = ['floatData', 'int32Data', 'int64Data', 'doubleData', 'uint64Data'] as const;
const numericNumbers = new Set(numericFields.map((field) => tensorFieldNumbers.get(field)));
const storedIn = [...numericFields, 'rawData', 'externalData', 'dataLocation'] as const;

function typedField(proto: TensorProto, type: DataTypeInfo): readonly Payload[] {
  const packed = (proto[type.field] ?? []) as readonly Payload[];
  const number = tensorFieldNumbers.get(type.field);
  const unpacked = (proto.$unknowns ?? []).filter((unknown) => fieldNumber(unknown) === number);
  if (unpacked.length === 0) return packed;
  if (packed.length > 0) throw onnxErrors.mixedElements(proto.name ?? '', type.field);
  return unpacked.map((unknown) => toBytes(unknown).subarray(1));
}

/** The fields in question have numbers below 16, so their tags are one byte; 0 for any other field. */
function fieldNumber(unknown: Payload): number {
  const tag = unknown instanceof Uint8Array ? unknown[0]! : 0x80;
  return tag < 0x80 ? tag >>> 3 : 0;
}

/** Decodes into `elements` as far as there is room; the result tells by its length how many elements there were. */
function decodeVarints(parts: readonly Payload[], elements: InstanceType<DataTypeInfo['array']>): Uint8Array {
  const width = elements.BYTES_PER_ELEMENT;
  const halves = width === 8 ? new Uint32Array(elements.buffer as ArrayBuffer) : undefined;
  const narrow = elements as Exclude<typeof elements, BigInt64Array | BigUint64Array>;
  let count = 0;
  let low = 0;
  let high = 0;
  let shift = 0;
  for (const part of parts) {
    for (const bytes of chunks(part, chunkSize)) {
      for (let i = 0; i < bytes.length; i++) {
        const byte = bytes[i]!;
        const bits = byte & 0x7f;
        if (shift < 28) low |= bits << shift;
        else if (shift === 28) {
          low |= bits << 28;
          high = bits >>> 4;
        } else high |= bits << (shift - 32);
        shift += 7;
        if (byte >= 0x80) continue;
        if (count < elements.length) {
          if (halves) {
            halves[2 * count] = low;
            halves[2 * count + 1] = high;
          } else narrow[count] = low;
        }
        count++;
        low = high = shift = 0;
      }
    }
  }
  const bytes = new Uint8Array(elements.buffer as ArrayBuffer);
  return count === elements.length ? bytes : new Uint8Array(count * width);
}
