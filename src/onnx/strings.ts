/**
 * Strings in files and in tensors: UTF-8 that loses nothing, and string elements as numbers.
 *
 * Strings survive load → save whatever their bytes. protobuf strings should be UTF-8, but exporters have written other encodings (GBK and
 * Latin-1 paths in doc strings). A byte that is not valid UTF-8 becomes the lone surrogate U+DC00 + byte and back (as Python's
 * 'surrogateescape'); valid text never decodes to one, so nothing is ambiguous.
 *
 * Everything between a file and a session moves elements as numbers. A string element is the number under which a table here holds it, and
 * becomes a string again where onnxruntime takes it. Equal strings have equal numbers. There is one table per thread: what goes to another
 * thread travels as the strings themselves.
 */
import type { TensorValue } from './data-types.ts';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const loneSurrogate = /\p{Surrogate}/u;
/**
 * Names are mostly short and ASCII: those are made from one reused array of codes, in a third of TextDecoder's time.
 */
const shortText = 64;
const codes: number[] = [];

/** Decodes bytes; those that are not UTF-8 become lone surrogates. */
export function decodeUtf8(bytes: Uint8Array, start = 0, end = bytes.length): string {
  if (end - start > shortText) return decodeText(bytes.subarray(start, end));
  codes.length = end - start;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte >= 0x80) return decodeText(bytes.subarray(start, end));
    codes[i - start] = byte;
  }
  return String.fromCharCode.apply(null, codes);
}

/** The inverse of decodeUtf8, to the last byte. */
export function encodeUtf8(text: string): Uint8Array {
  if (!hasEscapes(text)) return encoder.encode(text);
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code >= 0xdc80 && code <= 0xdcff) bytes.push(code - 0xdc00);
    else bytes.push(...encoder.encode(character));
  }
  return Uint8Array.from(bytes);
}

/** True when the text holds escaped bytes (or any lone surrogate), which ordinary encoders would destroy. */
export function hasEscapes(text: string): boolean {
  return loneSurrogate.test(text);
}

function decodeText(bytes: Uint8Array): string {
  return tryDecode(bytes) ?? decodeEscaping(bytes);
}

function tryDecode(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

function decodeEscaping(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length;) {
    const lead = bytes[i]!;
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    const character = tryDecode(bytes.subarray(i, i + length));
    text += character ?? String.fromCharCode(0xdc00 + lead);
    i += character === undefined ? 1 : length;
  }
  return text;
}

/** Drops the byte order mark with which editors of Windows save texts, and which JSON does not know. */
export function withoutMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

const numbers = new Map<string, number>();
const texts: string[] = [];

/** The numbers of strings, as the elements of a `TensorValue` of type string. */
export function textNumbers(list: Iterable<string>): Uint32Array {
  return Uint32Array.from(list, (text) => {
    const known = numbers.get(text);
    if (known !== undefined) return known;
    numbers.set(text, texts.length);
    return texts.push(text) - 1;
  });
}

/** The strings that elements stand for. */
export function textsOf(elements: ArrayLike<number | bigint>): string[] {
  return Array.from(elements, (element) => texts[Number(element)]!);
}

type Tensors = Readonly<Record<string, TensorValue>>;

/** Tensors on their way to another thread, and the strings of those that hold some. */
export interface Parcel {
  readonly tensors: Tensors;
  readonly texts: Readonly<Record<string, readonly string[]>>;
}

/** Packs tensors for another thread. */
export function packed(tensors: Tensors): Parcel {
  const named = Object.entries(tensors).filter(([, { type }]) => type === 'string');
  return { tensors, texts: Object.fromEntries(named.map(([name, { data }]) => [name, textsOf(data)])) };
}

/** Unpacks tensors, with the numbers that their strings have in this thread. */
export function unpacked({ tensors, texts }: Parcel): Record<string, TensorValue> {
  const own = Object.entries(texts).map(([name, list]) => [name, { ...tensors[name]!, data: textNumbers(list) }]);
  return { ...tensors, ...Object.fromEntries(own) };
}
