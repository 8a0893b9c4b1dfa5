import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixedRanges, widened } from '../../src/calibrate/ranges.ts';
import { explainModel } from '../../src/inspect/explain.ts';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import type { Model } from '../../src/graph/model.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import { prepareModel, quantizeModel, type QdqError } from '../../src/index.ts';
import { loadModel, saveModel } from '../../src/onnx/model-file.ts';
import { buildModel, f32, node } from '../support/build.ts';
import { activationParams } from '../../src/quantized/quant-params.ts';

const ranges = new Map([
  ['thin', { min: 0, max: 1e-9 }],
  ['negative', { min: -2e-6, max: 0 }],
  ['wide', { min: -1, max: 1 }],
]);

describe('widened', () => {
  it('moves the upper end of a narrow range, as onnxruntime.quantization does', () => {
    expect([...widened(ranges, 1e-4)]).toEqual([
      ['thin', { min: 0, max: 1e-4 }],
      ['negative', { min: -2e-6, max: -2e-6 + 1e-4 }],
      ['wide', { min: -1, max: 1 }],
    ]);
    // compute_scale_zp(0, 1e-9, uint8, min_real_range=1e-4) of onnxruntime: scale 1e-4/255, zero point 0.
    const { scale, zeroPoint } = activationParams(widened(ranges, 1e-4).get('thin')!, 'uint8', false);
    expect([scale, zeroPoint]).toEqual([Math.fround(1e-4 / 255), 0]);
  });

  it('leaves everything as it is when nothing is asked for', () => {
    expect(widened(ranges, undefined)).toBe(ranges);
  });
});

/** Ranges by --range: what they stand for, what is refused, and that the int8 model has them. */

const weights = (seed: number): ReturnType<typeof f32> =>
  f32(
    [4, 4, 1, 1],
    Float32Array.from({ length: 16 }, (_, i) => Math.sin(i * 2 + seed)),
  );
const model = buildModel({
  inputs: { x: ['n', 4, 6, 6] },
  initializers: { w1: weights(1), w2: weights(2), w3: weights(3) },
  nodes: [
    node('Conv', ['x', 'w1'], ['a']),
    node('Relu', ['a'], ['r']),
    node('Conv', ['r', 'w2'], ['b']),
    node('Sigmoid', ['b'], ['s']),
    node('Conv', ['s', 'w3'], ['y']),
  ],
  outputs: ['y'],
});
const folder = mkdtempSync(join(tmpdir(), 'qdq-fixed-'));
const path = saveModel(modelToProto(model), join(folder, 'model.onnx')).path;
const common = { model: path, data: 'random', samples: 2, threads: 1, target: 'ort-cpu-x64' } as const;

/** Scale and zero point of the quantizer of a tensor. */
function quantizer(made: Model, tensor: string): number[] {
  const found = [...made.graph.nodes()].find((each) => each.is('QuantizeLinear') && each.input(0)?.name === tensor);
  return [1, 2].map((at) => Number(found!.input(at)!.initializer!.data()[0]));
}

const load = (made: string): Model => modelFromProto(loadModel(made).proto);
const observed = ['x', 'r', 'b', 'y'];

describe('fixedRanges', () => {
  it('are of a tensor, or of all that operators of a type give; the tensor counts more', () => {
    const given = fixedRanges(['Conv=-3,3', 'b=-1e1,.5', 'x=0,1'], model, observed);
    expect(Object.fromEntries(given)).toEqual({
      b: { min: -10, max: 0.5 },
      y: { min: -3, max: 3 },
      x: { min: 0, max: 1 },
    });
    expect(fixedRanges([], model, observed).size).toBe(0);
  });

  it.each([
    ['r', 'CALIBRATE_RANGE_SYNTAX', 'NAME=LO,HI'],
    ['r=1', 'CALIBRATE_RANGE_SYNTAX', 'NAME=LO,HI'],
    ['r=0,one', 'CALIBRATE_RANGE_SYNTAX', 'NAME=LO,HI'],
    ['r=1,2', 'CALIBRATE_RANGE', '0 is between them'],
    ['r=0,0', 'CALIBRATE_RANGE', '0 is between them'],
    ['r=2,-2', 'CALIBRATE_RANGE', '0 is between them'],
    ['r=-1,1e39', 'CALIBRATE_RANGE', '0 is between them'],
    ['Comv=0,1', 'CALIBRATE_RANGE_TENSOR', "did you mean 'Conv'"],
    ['s=0,1', 'CALIBRATE_RANGE_TENSOR', "tensor 's' takes no range from samples"],
  ])('refuse %s', (text, code, said) => {
    let error: QdqError | undefined;
    try {
      fixedRanges([text], model, observed);
    } catch (caught) {
      error = caught as QdqError;
    }
    expect(error).toMatchObject({ code });
    expect(`${error!.message} ${error!.hint}`).toContain(said);
  });

  it('refuse a name given twice', () => {
    expect(() => fixedRanges(['Conv=-1,1', 'Conv=-2,2'], model, observed)).toThrow("'Conv' is given twice");
  });

  it('are those of the int8 model, and samples tell the others', async () => {
    const range = ['r=0,51', 'x=-1,1'];
    const [plain, told] = await Promise.all(
      [[], range].map(async (given, i) => {
        const output = join(folder, `int8-${i}.onnx`);
        await quantizeModel({ ...common, output, range: given, report: false });
        return load(output);
      }),
    );
    // 51 / 255, and 2 / 255 around code 127.5, which rounds to even.
    expect(quantizer(told!, 'r')).toEqual([Math.fround(0.2), 0]);
    expect(quantizer(told!, 'x')).toEqual([Math.fround(2 / 255), 128]);
    expect(quantizer(told!, 'b')).toEqual(quantizer(plain!, 'b'));
    expect(quantizer(plain!, 'r')).not.toEqual(quantizer(told!, 'r'));
  });

  it('hold in prepare, with --min-range as well', async () => {
    const output = join(folder, 'qat.onnx');
    await prepareModel({ ...common, output, range: ['r=0,51'], minRange: 1000 });
    expect(quantizer(load(output), 'r')).toEqual([Math.fround(1000 / 255), 0]);
    await prepareModel({ ...common, output, range: ['r=0,51'] });
    expect(quantizer(load(output), 'r')).toEqual([Math.fround(0.2), 0]);
  });
});

it('explain shows the ranges that no sample needs to tell', async () => {
  const explanation = await explainModel(path, { target: 'ort-cpu-x64', optimize: 'size' });
  if (explanation.kind !== 'float') throw new Error('a float model was taken for an int8 one');
  expect(explanation.fixed).toEqual([{ tensor: 's', op: 'Sigmoid', range: { min: 0, max: 1 } }]);
});
