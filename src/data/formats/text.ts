/**
 * Samples as lines of text. .jsonl: an object per line, keyed by input name, with numbers in nested arrays and `label` if any. .csv and
 * .txt: the numbers of a model's one input, between commas or blanks. With a tokenizer, words instead: a line of .txt is a text, an object
 * of .jsonl has one in a field. Only the places of the lines are kept in memory. Token ids and other integers are filled up with zeros
 * where the model fixes a longer length.
 */
import { basename } from 'node:path';
import { dataErrors } from '../../errors/data.ts';
import { elementCount, type TensorValue, type TypedArray } from '../../onnx/data-types.ts';
import { withoutMark } from '../../onnx/strings.ts';
import { openFile, type RandomAccess } from '../random-access.ts';
import { checkNames, flatDims, withBatchAxis } from '../model-inputs.ts';
import { convert, convertible } from '../convert.ts';
import { firstIsLabelled, indexedDataset, type Format, type OpenRequest } from '../dataset.ts';
import type { Dataset, InputInfo, Sample } from '../sample.ts';
import { canonicalText, resolveText } from '../text-preprocess.ts';
import { loadTokenizer, type Encode } from '../tokenizer.ts';

const chunkBytes = 1 << 20;
const lineFeed = 10;

/** Lines of numbers or words. */
export const text: Format = {
  name: 'text',
  accepts:
    'a .jsonl of objects keyed by input name, or a .csv or .txt with the numbers of one input per line, or a .jsonl or .txt of texts with --preprocess "tokenizer=tokenizer.json"',
  preprocesses: true,
  detect: ({ extension }) => ['.jsonl', '.csv', '.txt'].includes(extension),
  open: openText,
};

type Parse = (line: string, id: string, inputs: readonly InputInfo[]) => Sample;

async function openText(request: OpenRequest): Promise<Dataset> {
  const { path } = request.target;
  const { parse, preprocess } = await parserOf(request);
  const { inputs } = request;
  const id = (position: number): string => `${basename(path)}#${position}`;
  const file = await openFile(path);
  try {
    const lines = await findLines(file);
    if (lines.length === 0) throw dataErrors.empty(path);
    const sample = async (from: RandomAccess, position: number): Promise<Sample> => {
      const [start, end] = lines[position]!;
      return parse((await from.read(start, end - start)).toString('utf8'), id(position), inputs);
    };
    const hasLabels = await firstIsLabelled(lines.length, (position) => sample(file, position));
    return indexedDataset({
      source: path,
      format: 'text',
      inputs,
      count: lines.length,
      labelled: hasLabels,
      preprocess,
      id,
      ahead: 1,
      async open() {
        const opened = await openFile(path);
        return { read: (position) => sample(opened, position), close: () => opened.close() };
      },
    });
  } finally {
    await file.close();
  }
}

/** What becomes of a line, and how reports call that. */
async function parserOf(request: OpenRequest): Promise<{ parse: Parse; preprocess: string | undefined }> {
  const { target, inputs, preprocess: text } = request;
  const { path, extension } = target;
  if (text === undefined) {
    if (extension !== '.jsonl' && inputs.length !== 1) throw dataErrors.textOneInput(path, inputs);
    return { parse: extension === '.jsonl' ? parseObject : parseNumbers, preprocess: undefined };
  }
  if (extension === '.csv') throw dataErrors.textOfTable(path);
  const spec = resolveText(text, inputs);
  const { encode, identity } = await loadTokenizer(spec, inputs);
  const { field, pair } = spec;
  if (extension === '.txt' && (field !== undefined || pair !== undefined))
    throw dataErrors.textFields(path, field === undefined ? 'pair' : 'text');
  const parse: Parse =
    extension === '.txt'
      ? (line, id) => ({ id, inputs: encode(withoutMark(line).replace(/\r$/, ''), undefined, id) })
      : (line, id) => parseTexts(line, id, field ?? 'text', pair, encode);
  return { parse, preprocess: canonicalText(spec, identity) };
}

/** First byte and end of every line that is not blank. */
async function findLines(file: RandomAccess): Promise<(readonly [number, number])[]> {
  const lines: [number, number][] = [];
  let start = 0;
  let blank = true;
  const finish = (end: number): void => {
    if (!blank) lines.push([start, end]);
    start = end + 1;
    blank = true;
  };
  for (let at = 0; at < file.size; at += chunkBytes) {
    const chunk = await file.read(at, Math.min(chunkBytes, file.size - at));
    for (let i = 0; i < chunk.length; i++) {
      if (chunk[i] === lineFeed) finish(at + i);
      else if (chunk[i]! > 0x20) blank = false;
    }
  }
  finish(file.size);
  return lines;
}

function fieldsOf(line: string, id: string): Record<string, unknown> {
  let fields: unknown;
  try {
    fields = JSON.parse(withoutMark(line));
  } catch (cause) {
    throw dataErrors.textLine(id, cause instanceof Error ? cause.message : String(cause));
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
    throw dataErrors.textLine(id, 'it is no object');
  return fields as Record<string, unknown>;
}

/** Fields that are neither text nor label are left alone: data sets carry all kinds of notes. */
function parseTexts(line: string, id: string, text: string, pair: string | undefined, encode: Encode): Sample {
  const fields = fieldsOf(line, id);
  const said = (field: string): string => {
    const value = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (typeof value !== 'string') throw dataErrors.textMissing(id, field, fields);
    return value;
  };
  return labelled({ id, inputs: encode(said(text), pair === undefined ? undefined : said(pair), id) }, fields['label']);
}

function labelled(sample: Sample, label: unknown): Sample {
  if (label === undefined || label === null) return sample;
  if (!Number.isSafeInteger(label)) throw dataErrors.badLabel(sample.id, label);
  return { ...sample, label: label as number };
}

function parseObject(line: string, id: string, inputs: readonly InputInfo[]): Sample {
  const fields = fieldsOf(line, id);
  const { label, ...rest } = fields;
  const taken = inputs.some(({ name }) => name === 'label');
  const values = taken ? fields : rest;
  checkNames(Object.keys(values), inputs, id);
  const tensors = inputs.map((input) => {
    if (!Object.hasOwn(values, input.name)) throw dataErrors.inputMissing(id, input.name, Object.keys(values));
    return [input.name, tensorOf(values[input.name], input, id)] as const;
  });
  const sample = { id, inputs: Object.fromEntries(tensors) };
  return taken ? sample : labelled(sample, label);
}

function parseNumbers(line: string, id: string, inputs: readonly InputInfo[]): Sample {
  const words = line.split(/[\s,;]+/).filter(Boolean);
  const values = words.map((word) => {
    const value = Number(word);
    if (Number.isNaN(value)) throw dataErrors.textLine(id, `'${word}' is no number`);
    return value;
  });
  const input = inputs[0]!;
  const shape = flatDims(input, values.length, input.dims.length > 1);
  if (!shape || elementCount(shape) !== values.length) throw dataErrors.readerDims(id, input, values.length);
  return { id, inputs: { [input.name]: { type: input.type, dims: shape, data: typed(values, input, id) } } };
}

/** Nested arrays as a tensor; one axis less than the input has is a sample without its batch axis. */
function tensorOf(value: unknown, input: InputInfo, id: string): TensorValue {
  const dims: number[] = [];
  for (let inner = value; Array.isArray(inner); inner = inner[0]) dims.push(inner.length);
  const flat = (Array.isArray(value) ? value.flat(Infinity) : [value]) as unknown[];
  if (flat.length !== elementCount(dims) || !even(value, dims)) throw dataErrors.textRagged(id, input.name);
  if (!flat.every(isNumber)) throw dataErrors.textLine(id, `input '${input.name}' holds something else than numbers`);
  const shape = dims.length === input.dims.length - 1 ? withBatchAxis(dims, input) : dims;
  return padded({ type: input.type, dims: shape, data: typed(flat, input, id) }, input);
}

function isNumber(item: unknown): item is number | boolean {
  return typeof item === 'number' || typeof item === 'boolean';
}

/** Whether every array of a level has the same length. */
function even(value: unknown, [length, ...rest]: readonly number[]): boolean {
  if (length === undefined) return !Array.isArray(value);
  return Array.isArray(value) && value.length === length && value.every((item) => even(item, rest));
}

function typed(values: readonly (number | boolean)[], input: InputInfo, id: string): TypedArray {
  if (!convertible('int64', input.type)) throw dataErrors.unsupportedType(id, input);
  const numbers = Float64Array.from(values, Number);
  try {
    const fraction = input.type.startsWith('float') ? undefined : numbers.find((value) => !Number.isSafeInteger(value));
    if (fraction !== undefined) throw new RangeError(`${fraction} is no integer`);
    return convert(numbers, 'float64', input.type);
  } catch (cause) {
    throw dataErrors.outOfRange(id, input, cause);
  }
}

/** Integers only: a zero is no neutral value of a measurement, but the usual padding of token ids and attention masks. */
function padded(tensor: TensorValue, input: InputInfo): TensorValue {
  const { type, dims, data } = tensor;
  const target = dims.map((dim, axis) => {
    const fixed = input.dims[axis];
    return axis > 0 && typeof fixed === 'number' ? Math.max(dim, fixed) : dim;
  });
  if (type.startsWith('float') || dims.length !== input.dims.length || target.every((dim, axis) => dim === dims[axis]))
    return tensor;
  const filled = new (data.constructor as new (length: number) => TypedArray)(elementCount(target));
  const row = dims.at(-1)!;
  for (let from = 0; from < data.length; from += row) {
    let to = 0;
    for (let axis = dims.length - 2, rest = from / row, step = target.at(-1)!; axis >= 0; axis--) {
      to += (rest % dims[axis]!) * step;
      rest = Math.floor(rest / dims[axis]!);
      step *= target[axis]!;
    }
    // Both arrays have the type of the input.
    (filled as Int32Array).set(data.subarray(from, from + row) as Int32Array, to);
  }
  return { type, dims: target, data: filled };
}
