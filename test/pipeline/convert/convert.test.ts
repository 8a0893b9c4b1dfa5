/** `convert` proves its result: default onnxruntime, as users run the file, computes what the source means. */
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSession } from '../../../src/backends/session.ts';
import { modelToProto } from '../../../src/graph/to-proto.ts';
import { convertModel, type ConvertResult } from '../../../src/index.ts';
import { modelFromProto } from '../../../src/graph/from-proto.ts';
import { loadModel, saveModel } from '../../../src/onnx/model-file.ts';
import type { TensorValue } from '../../../src/onnx/data-types.ts';
import { run, sqnr, steps } from '../../quantized/support.ts';
import { constant } from '../../support/build.ts';
import { blockScales, f32, Network, scalesOf, weights, type ForeignModel } from '../../qat/foreign-models.ts';

const folder = mkdtempSync(join(tmpdir(), 'qdq-convert-'));
let count = 0;

async function convert({
  model,
  feeds,
}: ForeignModel): Promise<{ result: ConvertResult; meant: TensorValue; ran: TensorValue }> {
  const [path, output] = [join(folder, `${++count}.onnx`), join(folder, `${count}.int8.onnx`)];
  saveModel(modelToProto(model), path, {});
  const result = await convertModel({ model: path, output });
  const outputOf = async (file: string, settings: Parameters<typeof openSession>[1]): Promise<TensorValue> => {
    const session = await openSession(file, settings);
    const results = await session.run(feeds);
    await session.dispose();
    return Object.values(results)[0]!;
  };
  return {
    result,
    meant: await outputOf(path, { level: 'disabled', simulate: true }),
    ran: await outputOf(output, {}),
  };
}

/** A convolution between quantizers, whose weights use all codes. */
function convolution(axis: number, wide = false, kind: 'u8' | 's8' = 'u8'): Network {
  const network = new Network();
  const x = network.act('x', 0.03, kind);
  // Neighbours of one sign: u8 × s8 products that a CPU without VNNI adds up in saturating 16 bits.
  const w = wide
    ? constant(
        'float32',
        [4, 4, 3, 3],
        Array.from({ length: 144 }, () => 0.05),
      )
    : weights([4, 4, 3, 3], axis);
  network.constant('w', w);
  const wd = network.pair('w', { scale: scalesOf(w, axis), axis });
  network.act(network.add('Conv', [x, wd], 'y'), wide ? 0.1 : 0.02, kind);
  return network;
}

describe('what onnxruntime would compute otherwise is converted otherwise', () => {
  it('scales of the input channels, without a bias', async () => {
    const { result, meant, ran } = await convert(convolution(1).done([1, 4, 8, 8], 'y_d', [1, 4, 6, 6]));
    expect(steps(meant, ran, 0.02)).toBeLessThan(1.01);
    expect(result.warnings.join()).toContain("no integer kernel reads the scales of 'n_y'");
    expect(result.samples).toBe(2);
  });

  it.each(['u8', 's8'] as const)(
    'products of %s that saturate on some CPUs: still in an integer kernel',
    async (kind) => {
      const foreign = convolution(0, true, kind).done([1, 4, 8, 8], 'y_d', [1, 4, 6, 6]);
      const { meant, ran } = await convert(foreign);
      expect(steps(meant, ran, 0.1)).toBeLessThan(1.01);
      const { types } = await run(modelFromProto(loadModel(join(folder, `${count}.int8.onnx`)).proto), foreign.feeds);
      expect(types).toContain('QLinearConv');
    },
  );

  it.each([1e-9, 1e9])('a pool between scales that are %d apart, which its kernel refuses', async (ratio) => {
    const network = convolution(0);
    const pool = network.add('GlobalAveragePool', ['y_d'], 'p');
    const out = network.act(pool, 0.02 / ratio);
    const { meant, ran } = await convert(network.done([1, 4, 8, 8], out, [1, 4, 1, 1]));
    expect(steps(meant, ran, 0.02 / ratio)).toBeLessThan(1.01);
  });

  it('an activation with a scale per channel', async () => {
    const network = new Network();
    const x = network.pair('x', { scale: f32([4], [0.03, 0.02, 0.01, 0.04]), axis: 1 });
    const w = weights([4, 4, 3, 3], 0);
    network.constant('w', w);
    const wd = network.pair('w', { scale: scalesOf(w, 0), axis: 0 });
    const y = network.act(network.add('Conv', [x, wd], 'y'), 0.02, 's8');
    const { meant, ran } = await convert(network.done([1, 4, 8, 8], y, [1, 4, 6, 6]));
    expect(steps(meant, ran, 0.02)).toBeLessThan(1.01);
  });
});

describe('weight-only models', () => {
  it('blocks of four bits, in a batch of three', async () => {
    const network = new Network();
    const w = weights([64, 8], 1);
    network.constant('w', w);
    const y = network.add(
      'MatMul',
      ['x', network.pair('w', { scale: blockScales(w, 16), type: 'int4', axis: 0, block: 16 })],
      'y',
    );
    const { result, meant, ran } = await convert(network.done([3, 64], y, [3, 8], 21));
    expect(result).toMatchObject({ weights: 1, fourBits: 1 });
    // onnxruntime rounds the activations of its kernel for such weights, and the result says so.
    expect(sqnr(meant, ran)).toBeGreaterThan(35);
    expect(result.warnings.join()).toMatch(
      /rounds what it multiplies with 1 weight\(s\) in codes to 8 bits: \d+\.\d dB/,
    );
  });

  it('weights that are codes already', async () => {
    const network = new Network();
    const parameters = [
      network.constant(
        'w',
        constant(
          'int8',
          [8, 4],
          Array.from({ length: 32 }, (_, i) => i * 7 - 100),
        ),
      ),
      network.constant('s', f32([4], [0.01, 0.02, 0.003, 0.1])),
    ];
    const y = network.add('MatMul', ['x', network.add('DequantizeLinear', parameters, 'wd', { axis: 1 })], 'y');
    const { result, meant, ran } = await convert(network.done([2, 8], y, [2, 4]));
    expect(result.weights).toBe(0);
    expect(sqnr(meant, ran)).toBeGreaterThan(35);
  });
});

it('a scale that is NaN: an error, and no file', async () => {
  const network = new Network();
  const w = weights([4, 4, 3, 3], 0);
  network.constant('w', w);
  const wd = network.pair('w', { scale: f32([4], [0.1, NaN, 0.1, 0.1]), axis: 0 });
  const foreign = network.done([1, 4, 8, 8], network.add('Conv', ['x', wd], 'y'), [1, 4, 6, 6]);
  await expect(convert(foreign)).rejects.toMatchObject({ code: 'QAT_SCALE' });
  expect(existsSync(join(folder, `${count}.int8.onnx`))).toBe(false);
});

it('a float model is no QAT model', async () => {
  const network = new Network();
  network.constant('w', weights([4, 4, 3, 3], 0));
  const foreign = network.done([1, 4, 8, 8], network.add('Conv', ['x', 'w'], 'y'), [1, 4, 6, 6]);
  await expect(convert(foreign)).rejects.toMatchObject({ code: 'QAT_NOT_PREPARED' });
});
