/** Models and samples shared by the tests of this room. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Session } from '../../src/backends/session.ts';
import type { Dataset, Sample } from '../../src/data/sample.ts';
import { positionsOf } from '../../src/data/selection.ts';
import { elementCount, type DataTypeName, type TensorValue, type TypedArray } from '../../src/onnx/data-types.ts';
import { encodeModel } from '../../src/onnx/model-file.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';
import {
  buildProto,
  constant,
  f32,
  node,
  scalar,
  type Constant,
  type DimSpec,
  type ModelSpec,
} from '../support/build.ts';

/** A folder that goes away with the test file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'qdq-compare-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function writeModelFile(path: string, spec: ModelSpec): string {
  writeFileSync(path, encodeModel(buildProto(spec)));
  return path;
}

export function tensor(type: DataTypeName, dims: readonly number[], values: Iterable<number>): TensorValue {
  return { type, dims, data: constant(type, dims, values).data as TypedArray };
}

export function memoryDataset(samples: readonly Sample[], overrides: Partial<Dataset> = {}): Dataset {
  return {
    source: 'memory',
    format: 'npz',
    count: samples.length,
    labelled: samples.some(({ label }) => label !== undefined),
    preprocess: undefined,
    synthetic: false,
    async *samples(selection) {
      for (const position of positionsOf(selection, samples.length)) yield samples[position]!;
    },
    idsHash: () => 'a'.repeat(64),
    ...overrides,
  };
}

/** A session that computes its outputs in JavaScript. */
export function fakeSession(
  inputs: Readonly<Record<string, readonly DimSpec[]>>,
  outputs: Readonly<Record<string, (feeds: Readonly<Record<string, TensorValue>>) => TensorValue>>,
  outputType: DataTypeName = 'float32',
): Session & { readonly batches: number[] } {
  const batches: number[] = [];
  const info = (name: string, dims: readonly DimSpec[], type: DataTypeName) => ({ name, type, dims });
  return {
    batches,
    inputs: Object.entries(inputs).map(([name, dims]) => info(name, dims, 'float32')),
    outputs: Object.keys(outputs).map((name) => info(name, [], outputType)),
    async run(feeds) {
      batches.push(Object.values(feeds)[0]!.dims[0]!);
      return Object.fromEntries(Object.entries(outputs).map(([name, compute]) => [name, compute(feeds)]));
    },
    async dispose() {},
  };
}

/** Builds a QDQ model step by step; every quantizer is u8 with the given zero point, every weight s8 per channel. */
export class QdqBuilder {
  readonly initializers: Record<string, Constant> = {};
  readonly nodes: NodeProto[] = [];

  /** The dequantized form of value `name`. */
  quantized(name: string, scale: number, zeroPoint: number): string {
    this.initializers[`${name}_s`] = scalar('float32', scale);
    this.initializers[`${name}_z`] = scalar('uint8', zeroPoint);
    const parameters = [`${name}_s`, `${name}_z`];
    this.nodes.push(node('QuantizeLinear', [name, ...parameters], [`${name}_q`], {}, { name: `${name}_Q` }));
    this.nodes.push(node('DequantizeLinear', [`${name}_q`, ...parameters], [`${name}_dq`], {}, { name: `${name}_DQ` }));
    return `${name}_dq`;
  }

  weight(name: string, dims: readonly number[], largest = 127): string {
    const values = Array.from({ length: elementCount(dims) }, (_, i) =>
      Math.round(largest * Math.sin(i * 7 + dims.length)),
    );
    values[0] = largest;
    this.initializers[`${name}_q`] = { type: 'int8', dims, data: Int8Array.from(values) };
    this.initializers[`${name}_s`] = f32(
      [dims[0]!],
      Array.from({ length: dims[0]! }, () => 0.01),
    );
    this.initializers[`${name}_z`] = constant(
      'int8',
      [dims[0]!],
      Array.from({ length: dims[0]! }, () => 0),
    );
    const inputs = [`${name}_q`, `${name}_s`, `${name}_z`];
    this.nodes.push(node('DequantizeLinear', inputs, [`${name}_dq`], { axis: 0 }, { name: `${name}_DQ` }));
    return `${name}_dq`;
  }

  add(op: string, inputs: readonly string[], output: string, attributes: Parameters<typeof node>[3] = {}): string {
    this.nodes.push(node(op, inputs, [output], attributes, { name: output }));
    return output;
  }
}
