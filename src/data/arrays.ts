/** Datasets of arrays with samples along their first axis: what .npy, .npz and .safetensors have in common. */
import type { DataTypeName, TensorValue, TypedArray } from '../onnx/data-types.ts';
import { dataErrors } from '../errors/data.ts';
import { checkNames, fits, withBatchAxis } from './model-inputs.ts';
import { convert, convertible } from './convert.ts';
import { indexedDataset } from './dataset.ts';
import type { Dataset, InputInfo } from './sample.ts';

/** Type and shape of an array. */
export interface ArrayHeader {
  readonly type: DataTypeName;
  readonly shape: readonly number[];
}

/** An array of the file and the input that it feeds. */
export interface Column {
  readonly name: string;
  readonly header: ArrayHeader;
  readonly input: InputInfo;
}

/** The arrays of one file, open. */
export interface ArrayReader {
  /** The elements of one row of the array called `name`. */
  row(name: string, position: number): Promise<TypedArray>;
  close(): Promise<void>;
}

/** What a dataset of arrays is made of. */
export interface ArrayOptions {
  readonly source: string;
  readonly format: string;
  readonly columns: readonly Column[];
  readonly labels: readonly number[] | undefined;
  /** Sample ids are `idBase#row`. */
  readonly idBase: string;
  open(): Promise<ArrayReader>;
}

const labelNames = ['labels', 'y'];

/** Which array feeds which input. */
export interface ArrayPairs {
  /** Name of an array and the input that it feeds. */
  readonly pairs: readonly (readonly [string, InputInfo])[];
  /** The array of labels, if any. */
  readonly labels: string | undefined;
}

/** Pairs arrays and inputs by name; a single array feeds a single input whatever it is called. */
export function pairArrays(names: readonly string[], inputs: readonly InputInfo[], path: string): ArrayPairs {
  const labels = labelNames.find((name) => names.includes(name) && !inputs.some((input) => input.name === name));
  const rest = names.filter((name) => name !== labels);
  if (rest.length === 1 && inputs.length === 1) return { pairs: [[rest[0]!, inputs[0]!]], labels };
  for (const { name } of inputs) {
    if (!rest.includes(name)) throw dataErrors.arraysUnmatched(path, name, rest);
  }
  checkNames(rest, inputs, `'${path}'`);
  return { pairs: inputs.map((input) => [input.name, input] as const), labels };
}

/** Refuses labels that are not one integer per sample. */
export function checkLabels({ type, shape }: ArrayHeader, path: string): void {
  if (!/^u?int\d+$/.test(type) || shape.length !== 1) throw dataErrors.labelsArray(path, type, shape);
}

/** Makes a dataset whose samples are the rows of arrays. */
export function arrayDataset({ source, format, columns, labels, idBase, open }: ArrayOptions): Dataset {
  const shapes = new Map(columns.map((column) => [column.name, sampleDims(column)]));
  const [first] = columns;
  const count = first!.header.shape[0]!;
  for (const { name, header } of columns) {
    if (header.shape[0] !== count) throw dataErrors.arrayCounts(name, header.shape[0]!, first!.name, count);
  }
  if (labels && labels.length !== count) throw dataErrors.arrayCounts('labels', labels.length, first!.name, count);
  if (count === 0) throw dataErrors.empty(source);
  const id = (position: number): string => `${idBase}#${position}`;
  return indexedDataset({
    source,
    format,
    inputs: columns.map(({ input }) => input),
    count,
    labelled: labels !== undefined,
    preprocess: describeConversions(columns),
    id,
    ahead: 1,
    async open() {
      const reader = await open();
      return {
        async read(position) {
          const inputs: Record<string, TensorValue> = {};
          for (const { name, header, input } of columns) {
            const row = await reader.row(name, position);
            try {
              const data = convert(row, header.type, input.type);
              inputs[input.name] = { type: input.type, dims: shapes.get(name)!, data };
            } catch (cause) {
              throw dataErrors.outOfRange(id(position), input, cause);
            }
          }
          const label = labels?.[position];
          return { id: id(position), inputs, ...(label !== undefined && { label }) };
        },
        close: () => reader.close(),
      };
    },
  });
}

/** [N, ...rest] gives samples of [1, ...rest]; an array of one more axis than the input gives whole inputs. */
function sampleDims({ name, header: { type, shape }, input }: Column): readonly number[] {
  if (!convertible(type, input.type)) throw dataErrors.wrongType(`array '${name}'`, input, type);
  const rest = shape.slice(1);
  const dims = shape.length === input.dims.length + 1 ? rest : withBatchAxis(rest, input);
  if (shape.length === 0 || !fits(dims, input)) throw dataErrors.arrayShape(name, shape, input);
  return dims;
}

/** A changed type is part of what was done to the data, and belongs in the report. */
function describeConversions(columns: readonly Column[]): string | undefined {
  const changed = columns.filter(({ header, input }) => header.type !== input.type);
  return changed.length === 0
    ? undefined
    : changed.map(({ input, header }) => `${input.name}: ${header.type} as ${input.type}`).join('; ');
}
