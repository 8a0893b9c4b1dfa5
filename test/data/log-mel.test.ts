/** Spectrograms against torch.stft and numpy (golden/log-mel.py); transforms against the sum they stand for. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveAudio, canonicalAudio } from '../../src/data/audio-preprocess.ts';
import { realTransform, logMel, samplesFor, windowCount, type MelOptions } from '../../src/data/log-mel.ts';
import { input } from './helpers.ts';

interface Golden {
  readonly clip: number[];
  readonly cases: Record<string, { options: MelOptions; values: number[][] }>;
}

const golden = JSON.parse(readFileSync(new URL('golden/log-mel.json', import.meta.url), 'utf8')) as Golden;
const clip = Float32Array.from(golden.clip);

describe('realTransform', () => {
  it('is the discrete Fourier transform, whatever the length', () => {
    fc.assert(
      fc.property(fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 64 }), (numbers) => {
        const n = numbers.length;
        const found = new Float64Array((n >> 1) + 1);
        realTransform(n).powers(Float64Array.from(numbers), found);
        found.forEach((power, k) => {
          let [re, im] = [0, 0];
          numbers.forEach((x, i) => {
            re += x * Math.cos((2 * Math.PI * k * i) / n);
            im -= x * Math.sin((2 * Math.PI * k * i) / n);
          });
          // Sums of n numbers up to 1 in float64, squared.
          expect(Math.abs(power - (re * re + im * im))).toBeLessThan(1e-12 * n * n);
        });
      }),
    );
  });
});

describe('logMel', () => {
  it.each(Object.entries(golden.cases))('gives the golden values: %s', (_, { options, values }) => {
    const found = logMel(options)(clip);
    const expected = values.flat();
    expect(found).toHaveLength(expected.length);
    // Rounded to float32, and golden values to seven decimals.
    found.forEach((value, i) => {
      const tolerance = 1e-6 + 2e-7 * Math.abs(expected[i]!);
      expect(Math.abs(value - expected[i]!)).toBeLessThan(tolerance);
    });
  });

  it('counts windows as it makes them, and the samples for a number of windows', () => {
    const options = golden.cases['whisper']!.options;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom('reflect', 'zero', 'none'),
        fc.constantFrom('keep', 'drop'),
        fc.integer({ min: 1, max: 200 }),
        (fft, hop, center, last, length) => {
          const asked = { ...options, fft, win: fft, hop, center, last } as MelOptions;
          const count = windowCount(length, asked);
          const made = logMel(asked)(new Float32Array(length).fill(0.5));
          expect(made).toHaveLength(80 * Math.max(0, count));
          if (count < 1) return;
          const least = samplesFor(count, asked);
          expect(windowCount(least, asked)).toBe(count);
          expect(least).toBeLessThanOrEqual(length);
          expect(windowCount(least - 1, asked)).toBeLessThan(count);
        },
      ),
    );
  });

  it('reflects clips shorter than half a window again and again', () => {
    const options = {
      ...golden.cases['librosa']!.options,
      fft: 16,
      win: 16,
      hop: 4,
      mel: 4,
      center: 'reflect',
    } as const;
    // A constant is constant however it is reflected.
    const found = logMel(options)(Float32Array.of(1, 1, 1));
    const long = logMel(options)(new Float32Array(64).fill(1));
    expect(found).toHaveLength(4);
    found.forEach((value, band) => expect(value).toBeCloseTo(long[band * 17 + 8]!, 5));
  });
});

describe('the language of spectrograms', () => {
  const whisper = input('input_features', ['batch', 80, 3000]);

  it('has a preset, which later words override, and one text per meaning', () => {
    const preset = resolveAudio('whisper', whisper);
    expect(preset.mel).toMatchObject({ mel: 80, fft: 400, hop: 160, win: 400, log: 'whisper', last: 'drop' });
    expect(preset.length).toBe(480_000);
    const text = canonicalAudio(preset);
    expect(resolveAudio(text, whisper)).toEqual(preset);
    expect(canonicalAudio(resolveAudio(text, whisper))).toBe(text);
    expect(resolveAudio('whisper mel=128', input('x', [1, 128, 3000])).mel!.mel).toBe(128);
  });

  it('takes length and layout from the model', () => {
    const ast = resolveAudio('rate=16000 mel=128 fft=512 win=400 hop=160 center=none', input('x', [1, 1024, 128]));
    expect(ast).toMatchObject({ length: 512 + 160 * 1023, mel: { layout: 'time-mel' } });
    const square = resolveAudio('rate=16000 mel=64 fft=512 hop=160', input('x', ['n', 1, 64, 64]));
    expect(square).toMatchObject({ length: 160 * 63, mel: { layout: 'mel-time', fmax: 8000 } });
    expect(resolveAudio('rate=16000 mel=64 fft=512', input('x', ['n', 64, 'time']))).toMatchObject({
      length: undefined,
    });
  });

  it.each<[string, string, (string | number)[]?]>([
    ['mel=80 rate=16000', 'mel needs fft'],
    ['mel=80 fft=400', 'mel needs rate'],
    ['rate=16000 mel=80 fft=400 frame=512', 'both mel and frame'],
    ['fft=400', 'fft is of spectrograms, but there is no mel', ['n', 'time']],
    ['whisper win=500', 'at most fft, which is 400'],
    ['whisper fmax=9000', 'at most half the rate'],
    ['whisper fmin=8000', 'less than fmax'],
    ['whisper length=1600', 'makes 10 windows'],
    ['whisper mel=64', 'mel=64 layout=mel-time does not fit'],
    ['whisper window=han', "did you mean 'hann'"],
    ['whisper std=0', 'a number above 0'],
    ['whispr', "did you mean 'whisper'"],
    ['whisper', 'last two dimensions are bands and time', ['n', 'time']],
    ['whisper mel=80 mel=80', 'twice'],
  ])('refuses %s', (text, said, dims = ['batch', 80, 3000]) => {
    const error = (() => {
      try {
        resolveAudio(text, input('x', dims));
      } catch (caught) {
        return caught as Error & { hint?: string };
      }
      return undefined;
    })();
    expect(`${error?.message} ${error?.hint}`).toContain(said);
  });
});
