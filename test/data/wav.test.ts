import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openData } from '../../src/data/open.ts';
import { audioResampler } from '../../src/data/audio.ts';
import { failure, input, readAll, temporaryFolder } from './helpers.ts';

interface Form {
  readonly rate?: number;
  readonly channels?: number;
  readonly bits?: number;
  readonly tag?: number;
  readonly extensible?: boolean;
  readonly dataSize?: number;
}

/** A WAVE file written from the format's description; `data` are its bytes. */
function wave(data: ArrayBufferView, form: Form = {}): Buffer {
  const { rate = 8000, channels = 1, bits = 16, tag = 1, extensible = false } = form;
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const format = Buffer.alloc(extensible ? 40 : 16);
  format.writeUInt16LE(extensible ? 0xfffe : tag, 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(rate, 4);
  format.writeUInt32LE((rate * channels * bits) / 8, 8);
  format.writeUInt16LE((channels * bits) / 8, 12);
  format.writeUInt16LE(bits, 14);
  if (extensible) format.writeUInt16LE(tag, 24);
  const chunk = (id: string, body: Buffer, size = body.length): Buffer => {
    const head = Buffer.alloc(8);
    head.write(id, 'latin1');
    head.writeUInt32LE(size, 4);
    return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
  };
  const body = Buffer.concat([
    chunk('fmt ', format),
    chunk('LIST', Buffer.from('odd')),
    chunk('data', bytes, form.dataSize),
  ]);
  return Buffer.concat([chunk('RIFF', Buffer.from('WAVE'), 4 + body.length), body]);
}

function folder(files: Readonly<Record<string, Uint8Array>>): string {
  const root = temporaryFolder();
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), bytes);
  }
  return root;
}

const open = input('x', ['batch', 'time']);
const ramp = (length: number, from = 0): Int16Array => Int16Array.from({ length }, (_, i) => from + i);

describe('wav', () => {
  it.each<[string, ArrayBufferView, Form]>([
    ['8 bits', Uint8Array.of(128, 192, 0), { bits: 8 }],
    ['16 bits', Int16Array.of(0, 16384, -32768), {}],
    ['24 bits', Uint8Array.of(0, 0, 0, 0, 0, 0x40, 0, 0, 0x80), { bits: 24 }],
    ['32 bits', Int32Array.of(0, 2 ** 30, -(2 ** 31)), { bits: 32 }],
    ['float', Float32Array.of(0, 0.5, -1), { bits: 32, tag: 3 }],
    ['double', Float64Array.of(0, 0.5, -1), { bits: 64, tag: 3 }],
    ['extensible', Int16Array.of(0, 16384, -32768), { extensible: true }],
    ['stereo', Int16Array.of(-100, 100, 32767, 1, -32768, -32768), { channels: 2 }],
    ['size unknown', Int16Array.of(0, 16384, -32768), { dataSize: 0xffffffff }],
  ])('reads %s to mono', async (_, data, form) => {
    const path = join(folder({ 'a.WAV': wave(data, form) }), 'a.WAV');
    const dataset = await openData({ path }, [open]);
    expect(dataset).toMatchObject({ format: 'wav', count: 1, labelled: false });
    expect(await readAll(dataset)).toEqual([
      {
        id: 'a.WAV',
        inputs: { x: { type: 'float32', dims: [1, 3], data: Float32Array.of(0, 0.5, -1) } },
        sequence: 'a.WAV',
      },
    ]);
  });

  it('labels by class folders and fits clips to the length of the model', async () => {
    const root = folder({ 'dog/b.wav': wave(ramp(3, 1)), 'cat/a.wav': wave(ramp(6, 1)) });
    const dataset = await openData({ path: root }, [input('x', [1, 1, 4])]);
    expect(dataset).toMatchObject({ format: 'wav', count: 2, labelled: true, preprocess: 'length=4' });
    const samples = await readAll(dataset);
    expect(samples.map(({ id, label, inputs }) => [id, label, inputs['x']!.dims])).toEqual([
      ['cat/a.wav', 0, [1, 1, 4]],
      ['dog/b.wav', 1, [1, 1, 4]],
    ]);
    const counts = samples.map(({ inputs }) => Array.from(inputs['x']!.data as Float32Array, (value) => value * 32768));
    expect(counts).toEqual([
      [1, 2, 3, 4],
      [1, 2, 3, 0],
    ]);
  });

  it('cuts frames with context, sequence by sequence, in any order', async () => {
    const root = folder({ 'a.wav': wave(ramp(7, 1)), 'b.wav': wave(ramp(2, 10)) });
    const dataset = await openData({ path: root, preprocess: 'frame=3 context=2' }, [input('x', ['N', 5])]);
    expect(dataset).toMatchObject({ count: 4, sequences: [3, 1], preprocess: 'frame=3 hop=3 context=2' });
    const samples = await readAll(dataset);
    const told = samples.map(({ id, sequence, inputs }) => [
      id,
      sequence,
      Array.from(inputs['x']!.data as Float32Array, (value) => value * 32768),
    ]);
    expect(told).toEqual([
      ['a.wav#0', 'a.wav', [0, 0, 1, 2, 3]],
      ['a.wav#1', 'a.wav', [2, 3, 4, 5, 6]],
      ['a.wav#2', 'a.wav', [5, 6, 7, 0, 0]],
      ['b.wav#0', 'b.wav', [0, 0, 10, 11, 0]],
    ]);
    expect(await readAll(dataset, [1, 3])).toEqual([samples[1], samples[3]]);
    const overlapping = await openData({ path: root, preprocess: 'frame=4 hop=2' }, [open]);
    expect(overlapping.sequences).toEqual([3, 1]);
  });

  it('needs one rate, or a word on it', async () => {
    const root = folder({ 'a.wav': wave(ramp(8)), 'b.wav': wave(ramp(8), { rate: 16000 }) });
    const error = await failure(readAll(await openData({ path: root }, [open])));
    expect([error.code, error.hint]).toEqual(['DATA_WAV_RATE', expect.stringContaining('rate=8000')]);
    const both = await readAll(await openData({ path: root, preprocess: 'rate=8000' }, [open]));
    expect(both.map(({ inputs }) => inputs['x']!.dims)).toEqual([
      [1, 8],
      [1, 4],
    ]);
  });

  it.each<[string, string, Uint8Array]>([
    ['DATA_WAV', 'too short', Buffer.from('RIFF')],
    ['DATA_WAV', 'does not begin', Buffer.from('this is text, not sound')],
    ['DATA_WAV', 'cut short', wave(ramp(8)).subarray(0, -2)],
    ['DATA_WAV', 'no sound', wave(ramp(0))],
    ['DATA_WAV', 'has no data', wave(ramp(8)).subarray(0, 40)],
    ['DATA_WAV_ENCODING', 'format 7', wave(ramp(8), { tag: 7 })],
    ['DATA_WAV_ENCODING', '12 bits', wave(ramp(8), { bits: 12 })],
  ])('refuses with %s what is or has %s', async (code, what, bytes) => {
    const root = folder({ 'a.wav': bytes });
    const dataset = await openData({ path: root, preprocess: 'rate=8000 frame=4' }, [open]);
    const error = await failure(readAll(dataset));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(what)]);
  });

  it.each<[string, string, (number | string | null)[]]>([
    ['PREPROCESS_KEY', 'resize=3', ['N', 5]],
    ['PREPROCESS_TWICE', 'rate=1 rate=2', ['N', 5]],
    ['PREPROCESS_VALUE', 'rate=0', ['N', 5]],
    ['PREPROCESS_VALUE', 'frame=1.5', ['N', 5]],
    ['PREPROCESS_FRAME', 'hop=3', ['N', 5]],
    ['PREPROCESS_FRAME', 'frame=3 length=5', ['N', 5]],
    ['PREPROCESS_SHAPE', 'frame=3 context=1', ['N', 5]],
    ['PREPROCESS_SHAPE', 'length=4', ['N', 5]],
    ['DATA_NOT_AUDIO', 'rate=1', ['N', 3, 224, 224]],
  ])('refuses with %s: %s', async (code, preprocess, dims) => {
    const root = folder({ 'a.wav': wave(ramp(8)) });
    expect((await failure(openData({ path: root, preprocess }, [input('x', dims)]))).code).toBe(code);
  });
});

describe('audioResampler', () => {
  const sine = (rate: number, hertz: number, seconds = 0.2): Float32Array =>
    Float32Array.from({ length: rate * seconds }, (_, i) => Math.sin((2 * Math.PI * hertz * i) / rate));
  /** The largest |value| away from the ends, where the window reaches beyond the clip. */
  const inner = (clip: Float32Array, expected?: Float32Array): number =>
    clip
      .slice(clip.length / 4, (clip.length * 3) / 4)
      .reduce(
        (most, value, i) => Math.max(most, Math.abs(value - (expected?.[Math.floor(clip.length / 4) + i] ?? 0))),
        0,
      );

  it.each([
    [44100, 16000],
    [16000, 44100],
    [8000, 16000],
    [48000, 16000],
    [22050, 16000],
  ])('keeps tones below 0.9 of the lower Nyquist frequency: %i to %i Hz', (from, to) => {
    for (const hertz of [0, 440, Math.min(from, to) * 0.44]) {
      const made = audioResampler(from, to)(sine(from, hertz));
      expect(made.length).toBe(Math.ceil((from * 0.2 * to) / from));
      expect(inner(made, sine(to, hertz))).toBeLessThan(1e-4);
    }
  });

  it('removes tones that the lower rate cannot hold, and keeps a constant', () => {
    const resample = audioResampler(48000, 16000);
    for (const hertz of [8100, 12000, 20000]) expect(inner(resample(sine(48000, hertz)))).toBeLessThan(1e-4);
    const constant = resample(new Float32Array(9600).fill(0.75));
    expect(inner(constant, new Float32Array(3200).fill(0.75))).toBeLessThan(1e-6);
  });

  it('leaves a clip at its own rate alone', () => {
    const clip = sine(8000, 440);
    expect(audioResampler(8000, 8000)(clip)).toBe(clip);
  });

  it('makes spectrograms of clips, in either layout, and says which clip is too short', async () => {
    const root = folder({ 'a.wav': wave(ramp(800)), 'b.wav': wave(ramp(100)) });
    const preprocess = 'rate=8000 mel=6 fft=128 hop=64 log=none center=none';
    const [bands, turned] = await Promise.all(
      [
        ['n', 1, 6, 12],
        ['n', 12, 6],
      ].map(async (dims) => readAll(await openData({ path: root, preprocess }, [input('x', dims)]))),
    );
    const [x, y] = [bands![0]!.inputs['x']!, turned![0]!.inputs['x']!];
    expect([x.dims, y.dims]).toEqual([
      [1, 1, 6, 12],
      [1, 12, 6],
    ]);
    for (let band = 0; band < 6; band++)
      for (let time = 0; time < 12; time++) expect(y.data[time * 6 + band]).toBe(x.data[band * 12 + time]);
    // 832 samples: the end of the clip and all but the first window of the short one are silent.
    expect(bands![1]!.inputs['x']!.data[11]).toBe(0);
    const free = await openData({ path: root, preprocess }, [input('x', ['n', 6, 't'])]);
    expect((await failure(readAll(free))).message).toContain("'b.wav' has 100 samples, fewer than one window of 128");
  });
});
