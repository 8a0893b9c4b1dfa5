import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  assumedPreprocess,
  canonicalPreprocess,
  describePreprocess,
  isAssumed,
  parsePreprocess,
  resolvePreprocess,
} from '../../src/data/image-preprocess.ts';
import { failure, input } from './helpers.ts';

const image = input('x', ['N', 3, 224, 224]);
const resolved = (text: string, info = image) => resolvePreprocess(parsePreprocess(text), info);

describe('parsePreprocess', () => {
  it('reads every key', () => {
    const text =
      'resize=320x240 kernel=bicubic crop=300x200 scale=1/128 mean=1,2,3 std=.5 channels=bgr layout=nhwc dtype=float32';
    expect(parsePreprocess(text)).toEqual({
      resize: { width: 320, height: 240, fit: 'stretch', kernel: 'bicubic' },
      crop: { width: 300, height: 200 },
      scale: 1 / 128,
      mean: [1, 2, 3],
      std: [0.5],
      channels: 'bgr',
      layout: 'nhwc',
      dtype: 'float32',
    });
  });

  it('takes a preset and overrides', () => {
    const spec = parsePreprocess('imagenet resize=232 mean=none');
    expect(spec.resize).toEqual({ width: 232, height: 232, fit: 'shortest', kernel: 'bilinear' });
    expect(spec).toMatchObject({ crop: { width: 224, height: 224 }, mean: [0], std: [0.229, 0.224, 0.225] });
    expect(parsePreprocess('imagenet fit=stretch').resize?.fit).toBe('stretch');
    expect(parsePreprocess('none')).toEqual(parsePreprocess(''));
  });

  it.each([
    ['imagnet', 'PREPROCESS_PRESET', 'imagenet'],
    ['constructor', 'PREPROCESS_PRESET', 'imagenet'],
    ['reszie=256', 'PREPROCESS_KEY', 'resize'],
    ['resize=256 imagenet', 'PREPROCESS_KEY', 'imagenet'],
    ['channels=rbg', 'PREPROCESS_VALUE', 'rgb'],
    ['resize=0', 'PREPROCESS_VALUE', '224'],
    ['resize=256x', 'PREPROCESS_VALUE', '224'],
    ['scale=1/0', 'PREPROCESS_VALUE', 'scale'],
    ['scale=0', 'PREPROCESS_VALUE', 'above 0'],
    ['mean=1,,2', 'PREPROCESS_VALUE', 'mean'],
    ['mean=', 'PREPROCESS_VALUE', 'after ='],
    ['std=1,0,1', 'PREPROCESS_VALUE', 'above 0'],
    ['scale=0x10', 'PREPROCESS_VALUE', 'scale'],
    ['crop=1 crop=2', 'PREPROCESS_TWICE', 'once'],
    ['fit=stretch', 'PREPROCESS_RESIZE', 'resize=SIZE'],
  ])('refuses %s', async (text, code, hint) => {
    const error = await failure(() => parsePreprocess(text));
    expect(error.code).toBe(code);
    expect(error.hint).toContain(hint);
  });
});

describe('resolvePreprocess', () => {
  it('takes layout, channels and dtype from the input', () => {
    expect(resolved('none')).toMatchObject({ layout: 'nchw', channels: 'rgb', dtype: 'float32' });
    expect(resolved('none', input('x', [1, 28, 28, 1], 'float16'))).toMatchObject({
      layout: 'nhwc',
      channels: 'gray',
      dtype: 'float16',
    });
    expect(resolved('none', input('x', [1, null, null, 3], 'uint8'))).toMatchObject({ layout: 'nhwc', dtype: 'uint8' });
  });

  it.each([
    ['mean=1,2', image, 'PREPROCESS_CHANNELS'],
    ['mean=1,2,3 channels=gray', image, 'PREPROCESS_CHANNELS'],
    ['dtype=uint8', image, 'PREPROCESS_TYPE'],
    ['scale=1/255', input('x', [1, 3, 8, 8], 'uint8'), 'PREPROCESS_UINT8'],
    ['none', input('x', [1, 3, 8]), 'DATA_NOT_IMAGES'],
    ['none', input('x', [1, 3, 8, 8], 'int64'), 'DATA_NOT_IMAGES'],
  ])('refuses %s for %o', async (text, info, code) => {
    expect((await failure(() => resolved(text, info))).code).toBe(code);
  });
});

describe('assumedPreprocess', () => {
  it('stretches to the input and is marked', async () => {
    const assumed = assumedPreprocess(input('x', ['N', 3, 24, 32]));
    const text = describePreprocess(assumed, true);
    expect(text).toMatch(/^resize=32x24 kernel=bilinear scale=1\/255 channels=rgb layout=nchw dtype=float32 \(assumed/);
    expect([isAssumed(text), isAssumed(canonicalPreprocess(assumed)), isAssumed(undefined)]).toEqual([
      true,
      false,
      false,
    ]);
    expect((await failure(() => assumedPreprocess(input('x', ['N', 3, 'h', 'w'])))).code).toBe('DATA_IMAGE_SIZE');
  });
});

describe('canonicalPreprocess', () => {
  it('is one text per meaning', () => {
    const text = 'resize=256 kernel=bilinear crop=224 scale=1/255 mean=0.485,0.456,0.406 std=0.229,0.224,0.225';
    expect(canonicalPreprocess(resolved('imagenet'))).toBe(`${text} channels=rgb layout=nchw dtype=float32`);
    expect(canonicalPreprocess(resolved('std=2,2,2 mean=.50 scale=2/2'))).toBe(
      'mean=0.5 std=2 channels=rgb layout=nchw dtype=float32',
    );
  });

  it('parses back to the same preprocessing', () => {
    const size = fc.oneof(
      fc.integer({ min: 1, max: 2000 }).map(String),
      fc.tuple(fc.integer({ min: 1, max: 99999 }), fc.integer({ min: 1, max: 2000 })).map(([w, h]) => `${w}x${h}`),
    );
    const number = fc.oneof(
      fc.double({ min: 1e-9, max: 1e9, noNaN: true }).map(String),
      fc.integer({ min: 1, max: 70000 }).map((n) => `1/${n}`),
    );
    const numbers = fc.oneof(
      number,
      fc.tuple(number, number, number).map((list) => list.join(',')),
    );
    const spec = fc.record(
      {
        resize: size,
        crop: size,
        scale: number,
        mean: numbers,
        std: numbers,
        kernel: fc.constantFrom('bilinear', 'bicubic', 'nearest', 'lanczos'),
        fit: fc.constantFrom('shortest', 'stretch'),
        channels: fc.constantFrom('rgb', 'bgr'),
        layout: fc.constantFrom('nchw', 'nhwc'),
      },
      { requiredKeys: ['resize'] },
    );
    fc.assert(
      fc.property(spec, (keys) => {
        const once = resolved(
          Object.entries(keys)
            .map(([key, value]) => `${key}=${value}`)
            .join(' '),
        );
        const text = canonicalPreprocess(once);
        expect(resolved(text)).toEqual(once);
        expect(canonicalPreprocess(resolved(text))).toBe(text);
      }),
    );
  });
});
