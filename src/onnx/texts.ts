/**
 * Texts as elements of tensors. Everything between a file and a session moves elements as numbers; a text is the number under which
 * this table holds it, and becomes itself again where onnxruntime takes it. Equal texts have equal numbers. One table per thread.
 */
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
