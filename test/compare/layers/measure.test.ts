import { describe, expect, it, beforeAll } from 'vitest';
import { openSession } from '../../../src/backends/session.ts';
import { modelFromProto } from '../../../src/graph/from-proto.ts';
import type { TensorRow } from '../../../src/compare/report.ts';
import { fuseModel } from '../../../src/index.ts';
import { loadModel } from '../../../src/onnx/model-file.ts';
import { Tensor } from '../../../src/onnx/tensor.ts';
import { changed, digits, digitSamples, inside, quantizeDigits, shrinkScale, temporary } from './support.ts';

const inFolder = temporary();
const int8 = inFolder('int8.onnx');
const tensorsOf = async (float: string, quant: string): Promise<TensorRow[]> =>
  (await inside(float, quant, true)).tensors!;
const activations = (rows: readonly TensorRow[]): TensorRow[] => rows.filter(({ kind }) => kind === 'activation');
const worst = (rows: readonly TensorRow[]): TensorRow =>
  rows.reduce((least, row) => (row.isolated!.sqnrDb < least.isolated!.sqnrDb ? row : least));

beforeAll(async () => void (await quantizeDigits(int8)));

describe('layer by layer', () => {
  it('pairs every quantized tensor by the record in the model, errors and ranges complete', async () => {
    const rows = await tensorsOf(digits, int8);
    expect(rows.length).toBeGreaterThan(12);
    expect(rows.map(({ unpaired }) => unpaired)).toEqual(rows.map(() => undefined));
    for (const { isolated, range, scale, accumulated, kind } of rows) {
      // Rounding errs by at most half a step; weights limited pair by pair by up to a few.
      if (kind === 'activation') expect(isolated!.rmseOverScale).toBeLessThan(0.5);
      expect(isolated!.sqnrDb).toBeGreaterThan(20);
      expect(range!.min).toBeLessThanOrEqual(range!.max);
      expect(scale!.min).toBeGreaterThan(0);
      expect(accumulated !== undefined).toBe(kind === 'activation');
    }
  });

  it('measures what onnxruntime makes of one tensor', async () => {
    const row = activations(await tensorsOf(digits, int8)).at(-1)!;
    const file = loadModel(int8);
    const model = modelFromProto(file.proto, file.dir);
    const codes = model.graph.values.get(row.name)!;
    const dequantized = [...codes.users.keys()][0]!.output()!;
    model.graph.addOutput(dequantized);
    const int8Session = await openSession(model, { simulate: true });
    const floatFile = loadModel(digits);
    const floatModel = modelFromProto(floatFile.proto, floatFile.dir);
    floatModel.graph.addOutput(floatModel.graph.values.get(row.origin!)!);
    const floatSession = await openSession(floatModel);
    const report = await inside(digits, int8, true, 100);
    let [signal, error] = [0, 0];
    for await (const { inputs } of (await digitSamples).samples({ from: 0, to: 100 })) {
      const x = (await floatSession.run(inputs))[row.origin!]!.data as Float32Array;
      const y = (await int8Session.run(inputs))[dequantized.name]!.data as Float32Array;
      x.forEach((value, i) => {
        signal += value * value;
        error += (value - y[i]!) ** 2;
      });
    }
    await Promise.all([int8Session.dispose(), floatSession.dispose()]);
    const found = report.tensors!.find(({ name }) => name === row.name)!;
    expect(report.layers!.n).toBe(100);
    // The integer kernels and their simulation may differ by one step here and there.
    expect(Math.abs(found.accumulated!.sqnrDb - 10 * Math.log10(signal / error))).toBeLessThan(0.5);
  });

  it('pairs by structure what carries no record, to the same figures', async () => {
    const bare = changed(int8, inFolder('bare.onnx'), (model) => {
      model.metadata.clear();
      let number = 0;
      for (const node of model.graph.nodes()) {
        node.name = `n${number++}`;
        for (const output of node.outputs) if (output && !output.isOutput) model.graph.rename(output, `t${number++}`);
      }
    });
    const figures = (rows: readonly TensorRow[]) =>
      rows.map(({ origin, isolated, accumulated, kind }) => ({ origin, isolated, accumulated, kind }));
    expect(figures(await tensorsOf(digits, bare))).toEqual(figures(await tensorsOf(digits, int8)));
  });

  it('says which tensors it cannot pair', async () => {
    const odd = changed(int8, inFolder('odd.onnx'), (model) => {
      const record = JSON.parse(model.metadata.get('qdq.tensors')!) as Record<string, string>;
      const [first] = Object.keys(record);
      delete record[first!];
      model.metadata.set('qdq.tensors', JSON.stringify(record));
    });
    const report = await inside(digits, odd, true);
    const lost = report.tensors!.filter(({ origin }) => origin === null);
    expect(lost).toHaveLength(1);
    expect(lost[0]!.unpaired).toMatch('the record in the model does not name it');
    expect(report.layers).toMatchObject({ tensors: report.tensors!.length, paired: report.tensors!.length - 1 });
  });

  it('compares two float models tensor by tensor', async () => {
    const fused = inFolder('fused.onnx');
    await fuseModel({ model: digits, output: fused, threads: 1 });
    const rows = await tensorsOf(digits, fused);
    expect(rows.length).toBeGreaterThan(8);
    for (const { bits, isolated, accumulated } of rows) {
      expect({ bits, isolated }).toEqual({ bits: 0, isolated: undefined });
      expect(accumulated!.sqnrDb).toBeGreaterThan(90);
    }
  });

  it('looks at 32 samples unless told, and at none when told so', async () => {
    expect((await inside(digits, int8, undefined, 40)).layers!.n).toBe(32);
    expect((await inside(digits, int8, true, 40)).layers!.n).toBe(40);
    expect((await inside(digits, int8, false, 40)).tensors).toBeUndefined();
  });
});

describe('a scale that is 16 times too small', () => {
  it('ranks its activation first and is called clipping', async () => {
    const target = activations(await tensorsOf(digits, int8))[2]!;
    const broken = changed(int8, inFolder('broken.onnx'), (model) => shrinkScale(model, target.name, 16));
    const report = await inside(digits, broken, true);
    expect(worst(report.tensors!).name).toBe(target.name);
    expect(worst(report.tensors!).isolated!.rmseOverScale).toBeGreaterThan(1);
    expect(report.causes![0]).toMatchObject({
      tensor: target.origin,
      node: target.node,
      cause: 'clipping',
      tryFlag: `--exclude '${target.node}'`,
    });
  });

  it('ranks its weight first and is called clipping', async () => {
    const target = (await tensorsOf(digits, int8)).filter(({ kind }) => kind === 'weight')[2]!;
    const broken = changed(int8, inFolder('weight.onnx'), (model) => {
      const value = model.graph.values.get(target.name)!;
      shrinkScale(model, target.name, 16);
      // The codes that a quantizer would have made under that scale.
      const codes = Int8Array.from(value.constant!.floats(), (code) => Math.max(-128, Math.min(127, code * 16)));

      value.initializer = Tensor.of(value.name, 'int8', [...value.constant!.dims], codes);
    });
    const report = await inside(digits, broken, true);
    expect(worst(report.tensors!).name).toBe(target.name);
    expect(report.causes![0]).toMatchObject({ tensor: target.origin, cause: 'clipping' });
  });
});
