/** Corrections without training, in the whole pipeline, on the digits that come with the project. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { calibrateModel, quantizeModel, type QuantizeOptions, type QuantizeResult } from '../../../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'qdq-improve-'));
afterAll(() => rmSync(folder, { recursive: true }));

const digits = {
  model: 'fixtures/digits/model.onnx',
  data: 'fixtures/digits/calib',
  preprocess: 'channels=gray scale=1/255 mean=.5 std=.5 layout=nchw',
};

async function quantized(
  name: string,
  options: Partial<QuantizeOptions> = {},
): Promise<QuantizeResult & { bytes: Buffer }> {
  const output = join(folder, `${name}.onnx`);
  const { preprocess, ...given } = { ...digits, output, layers: false, ...options };
  // Random numbers are taken as they are.
  const result = await quantizeModel(
    options.data === 'random' ? given : { ...given, preprocess, eval: 'fixtures/digits/test' },
  );
  return { ...result, bytes: readFileSync(output) };
}

const decibels = ({ report }: QuantizeResult): number => report!.outputs[0]!.sqnrDb;

describe('improve', () => {
  it.each(['qdq', 'qoperator'] as const)('corrects biases, by default, where it helps: %s', async (format) => {
    const plain = await quantized(`plain-${format}`, { format, improve: 'none' });
    const better = await quantized(`better-${format}`, { format });
    expect(plain.improvements).toBeUndefined();
    expect(better.improvements).toEqual([
      expect.objectContaining({
        name: 'bias',
        kept: true,
        layers: 6,
        samples: 24,
        outputs: [expect.objectContaining({ name: 'logits' })],
      }),
    ]);
    expect(better.report!.improvements).toEqual(better.improvements);
    // 35.9 and 40.1 dB for this CPU's products when this was written: what was found on some samples shows on others.
    expect(decibels(better)).toBeGreaterThan(decibels(plain) + 2);
    // Nothing but biases differs, and they keep their size.
    expect(better.bytes.length).toBe(plain.bytes.length);
  });

  it('gives the same bytes for any number of threads and samples in a run, and by name', async () => {
    const one = await quantized('one', { threads: 1, report: false });
    const two = await quantized('two', { threads: 2, batch: 7, report: false, improve: 'bias' });
    expect(one.improvements).toHaveLength(1);
    expect(two.bytes.equals(one.bytes)).toBe(true);
  });

  it('needs the samples of a calibration: a state with them gives what they give alone, without them it is not tried', async () => {
    const state = join(folder, 'digits.state');
    await calibrateModel({ ...digits, output: state });
    const { data, ...rest } = digits;
    const alone = await quantized('alone', { report: false });
    const both = await quantized('both', { state, report: false });
    expect(both.bytes.equals(alone.bytes)).toBe(true);
    const output = join(folder, 'state.onnx');
    const without = await quantizeModel({
      ...rest,
      state,
      output,
      eval: 'fixtures/digits/test',
      report: false,
      improve: 'bias',
    });
    expect(without.improvements).toBeUndefined();
    expect(without.warnings.join()).toContain('biases are not corrected: that takes the samples that calibrated');
  });

  it.each([
    ['few samples', { samples: 5 }, '5 samples are too few'],
    ['numbers at random', { data: 'random', samples: 20 }, 'the samples are random numbers'],
    ['a form without constant ranges', { format: 'dynamic' }, "format 'dynamic' has no constant ranges"],
  ] as const)('says why biases are not corrected: %s', async (_, options, reason) => {
    const { improvements, warnings } = await quantized('not', { ...options, report: false, improve: 'bias' });
    expect(improvements).toBeUndefined();
    expect(warnings.join('; ')).toContain(`biases are not corrected: ${reason}`);
  });
});
