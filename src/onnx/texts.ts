/**
 * Texts as elements of tensors. Everything between a file and a session moves elements as numbers; a text is the number under which
 * this table holds it, and becomes itself again where onnxruntime takes it. Equal texts have equal numbers. One table per thread: what
 * goes to another travels as the texts themselves.
 */
import type { TensorValue } from './data-types.ts';

const numbers = new Map<string, number>();
const texts: string[] = [];

/** The elements of a `TensorValue` of type string. */
export function textNumbers(list: Iterable<string>): Uint32Array {
  return Uint32Array.from(list, (text) => {
    const known = numbers.get(text);
    if (known !== undefined) return known;
    numbers.set(text, texts.length);
    return texts.push(text) - 1;
  });
}

export function textsOf(elements: ArrayLike<number | bigint>): string[] {
  return Array.from(elements, (element) => texts[Number(element)]!);
}

type Tensors = Readonly<Record<string, TensorValue>>;

/** Tensors on their way to another thread, and the texts of those that hold some. */
export interface Parcel {
  readonly tensors: Tensors;
  readonly texts: Readonly<Record<string, readonly string[]>>;
}

export function packed(tensors: Tensors): Parcel {
  const named = Object.entries(tensors).filter(([, { type }]) => type === 'string');
  return { tensors, texts: Object.fromEntries(named.map(([name, { data }]) => [name, textsOf(data)])) };
}

/** The tensors, with the numbers that their texts have in this thread. */
export function unpacked({ tensors, texts }: Parcel): Record<string, TensorValue> {
  const own = Object.entries(texts).map(([name, list]) => [name, { ...tensors[name]!, data: textNumbers(list) }]);
  return { ...tensors, ...Object.fromEntries(own) };
}
