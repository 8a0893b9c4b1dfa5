/**
 * The preprocessing language for sound. `rate` is in samples per second, other lengths count samples at that rate. Either a
 * clip is one sample of a fixed `length` (cut at its end or filled up with zeros), or it is cut into frames: a frame is `frame`
 * new samples, the next begins `hop` later, and each is preceded by the `context` samples before it (zeros at the start). The
 * frames of one clip are a sequence. `mel` makes log-mel spectrograms of whole clips (log-mel.ts); `hop` is then theirs.
 */
import { didYouMean } from '../errors/qdq-error.ts';
import { dataErrors } from '../errors/data.ts';
import { forOne } from './model-inputs.ts';
import { centers, logs, norms, samplesFor, scales, windowCount, windows, type MelOptions } from './log-mel.ts';
import type { InputInfo } from './sample.ts';

/** What is done to sound, with everything decided. */
export interface AudioPreprocess {
  /** Undefined: that of the files, which must agree. */
  readonly rate: number | undefined;
  /** Undefined: a clip is as long as it is. */
  readonly length: number | undefined;
  readonly frames: { readonly frame: number; readonly hop: number; readonly context: number } | undefined;
  readonly mel: (MelOptions & { readonly layout: Layout }) | undefined;
}

/** Order of the last two dimensions. */
type Layout = (typeof layouts)[number];
const layouts = ['mel-time', 'time-mel'] as const;

/** The spectrograms of Whisper (Radford et al. 2022); large-v3 has mel=128. */
const presets: Readonly<Record<string, string>> = {
  whisper: 'rate=16000 length=480000 mel=80 fft=400 hop=160 log=whisper last=drop',
};

const samples = { form: /^[1-9]\d{0,8}$/, expects: 'a number of samples' };
const positive = { form: /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, expects: 'a number above 0' };
const number = { form: /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, expects: 'a number' };
const oneOf = (choices: readonly string[]): { choices: readonly string[] } => ({ choices });

const common = {
  rate: { form: samples.form, expects: 'a rate in Hz such as 16000' },
  length: samples,
  frame: samples,
  hop: samples,
  context: { form: /^\d{1,9}$/, expects: samples.expects },
  mel: { form: /^[1-9]\d{0,3}$/, expects: 'a number of bands such as 80' },
} as const;
/** What only spectrograms have. */
const spectral = {
  fft: { form: /^[1-9]\d{0,5}$/, expects: samples.expects },
  win: { form: /^[1-9]\d{0,5}$/, expects: samples.expects },
  window: oneOf(windows),
  center: oneOf(centers),
  last: oneOf(['keep', 'drop']),
  scale: oneOf(scales),
  norm: oneOf(norms),
  fmin: { form: positive.form, expects: 'a frequency in Hz' },
  fmax: { form: positive.form, expects: 'a frequency in Hz' },
  power: oneOf(['1', '2']),
  log: oneOf(logs),
  floor: positive,
  mean: number,
  std: positive,
  layout: oneOf(layouts),
} as const;
const rules = { ...common, ...spectral };
type Key = keyof typeof rules;
const keys = Object.keys(rules) as Key[];
type Words = Partial<Record<Key, string>>;

/** Reads a text; what it leaves open is decided by the input. @throws PREPROCESS_*, DATA_NOT_AUDIO */
export function resolveAudio(text: string | undefined, input: InputInfo): AudioPreprocess {
  const said = parse(text ?? '');
  return said.mel === undefined ? resolveSound(said, input) : resolveMel(said, input);
}

function resolveSound(said: Words, input: InputInfo): AudioPreprocess {
  if (!isLine(input, 1)) throw dataErrors.notASoundInput(input);
  const lone = Object.keys(spectral).find((key) => key in said);
  if (lone !== undefined) throw dataErrors.audioNeedsMel(lone);
  const [rate, length, frame] = [numberOf(said.rate), numberOf(said.length), numberOf(said.frame)];
  const [context, hop] = [numberOf(said.context) ?? 0, numberOf(said.hop) ?? frame];
  if (frame !== undefined && length !== undefined) throw dataErrors.audioFrameOrLength();
  const needsFrame =
    frame === undefined ? (['hop', 'context'] as const).find((key) => said[key] !== undefined) : undefined;
  if (needsFrame !== undefined) throw dataErrors.audioNeedsFrame(needsFrame);
  const fixed = numericDim(input, -1);
  if (frame === undefined) {
    if (length !== undefined && fixed !== undefined && length !== fixed)
      throw dataErrors.audioLength(`length=${length}`, length, input);
    return { rate, length: length ?? fixed, frames: undefined, mel: undefined };
  }
  if (fixed !== undefined && frame + context !== fixed) {
    throw dataErrors.audioLength(`frame=${frame} context=${context}`, frame + context, input);
  }
  return { rate, length: undefined, frames: { frame, hop: hop!, context }, mel: undefined };
}

function resolveMel(said: Words, input: InputInfo): AudioPreprocess {
  if (input.dims.length < 3 || !isLine(input, 2)) throw dataErrors.notASpectrogramInput(input);
  const framed = (['frame', 'context'] as const).find((key) => said[key] !== undefined);
  if (framed !== undefined) throw dataErrors.audioMelAlone(framed);
  const missing = (['rate', 'fft'] as const).find((key) => said[key] === undefined);
  if (missing !== undefined) throw dataErrors.audioMelNeeds(missing);
  const [rate, mel, fft] = [Number(said.rate), Number(said.mel), Number(said.fft)];
  const options: MelOptions = {
    ...{ rate, mel, fft },
    win: numberOf(said.win) ?? fft,
    hop: numberOf(said.hop) ?? Math.max(1, fft >> 2),
    window: (said.window ?? 'hann') as MelOptions['window'],
    center: (said.center ?? 'reflect') as MelOptions['center'],
    last: (said.last ?? 'keep') as MelOptions['last'],
    scale: (said.scale ?? 'slaney') as MelOptions['scale'],
    norm: (said.norm ?? 'slaney') as MelOptions['norm'],
    fmin: numberOf(said.fmin) ?? 0,
    fmax: numberOf(said.fmax) ?? rate / 2,
    power: said.power === '1' ? 1 : 2,
    log: (said.log ?? 'ln') as MelOptions['log'],
    floor: numberOf(said.floor) ?? 1e-10,
    mean: numberOf(said.mean) ?? 0,
    std: numberOf(said.std) ?? 1,
  };
  const { win, fmin, fmax } = options;
  if (win > fft) throw dataErrors.preprocessValue('win', String(win), `at most fft, which is ${fft}`);
  if (fmax > rate / 2) throw dataErrors.preprocessValue('fmax', String(fmax), `at most half the rate, ${rate / 2}`);
  if (fmin >= fmax) throw dataErrors.preprocessValue('fmin', String(fmin), `less than fmax, which is ${fmax}`);
  const turned = numericDim(input, -1) === mel && numericDim(input, -2) !== mel;
  const layout = (said.layout ?? (turned ? 'time-mel' : 'mel-time')) as Layout;
  const axes = layout === 'mel-time' ? ([-2, -1] as const) : ([-1, -2] as const);
  const [bands, time] = axes.map((axis) => numericDim(input, axis));
  if (bands !== undefined && bands !== mel) throw dataErrors.audioBands(mel, layout, input);
  const length = numberOf(said.length) ?? (time === undefined ? undefined : samplesFor(time, options));
  const made = length === undefined ? undefined : windowCount(length, options);
  if (made !== undefined && (made < 1 || (time !== undefined && made !== time)))
    throw dataErrors.audioWindows(length!, made, time === undefined ? undefined : samplesFor(time, options), input);
  return { rate, length, frames: undefined, mel: { ...options, layout } };
}

/** The canonical text: one per meaning. */
export function canonicalAudio({ rate, length, frames, mel }: AudioPreprocess): string {
  const words: string[] = [];
  if (rate !== undefined) words.push(`rate=${rate}`);
  if (length !== undefined) words.push(`length=${length}`);
  if (frames) words.push(`frame=${frames.frame}`, `hop=${frames.hop}`, `context=${frames.context}`);
  if (mel)
    for (const key of keys) if (key !== 'rate' && key in mel) words.push(`${key}=${mel[key as keyof typeof mel]}`);
  return words.join(' ') || 'whole clips at their own rate';
}

/** Whether all dimensions but the last `free` ones are 1 or open, of floats. */
function isLine(input: InputInfo, free: number): boolean {
  const { dims, type } = forOne(input);
  const others = dims.slice(0, -free);
  return dims.length >= free && type.startsWith('float') && others.every((dim) => typeof dim !== 'number' || dim === 1);
}

function numericDim({ dims }: InputInfo, axis: number): number | undefined {
  const dim = dims.at(axis);
  return typeof dim === 'number' ? dim : undefined;
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

function parse(text: string): Words {
  const words = text.split(/\s+/).filter(Boolean);
  const preset = words[0] !== undefined && Object.hasOwn(presets, words[0]) ? presets[words.shift()!]! : '';
  return { ...readWords(preset.split(' ').filter(Boolean)), ...readWords(words) };
}

function readWords(words: readonly string[]): Words {
  const said: Words = {};
  for (const word of words) {
    const at = word.indexOf('=');
    const key = (at < 0 ? word : word.slice(0, at)) as Key;
    if (at < 0 || !keys.includes(key)) {
      const known = at < 0 ? [...Object.keys(presets), ...keys] : keys;
      throw dataErrors.unknownPreprocessKey(word, didYouMean(key, known, `the keys for sound are ${keys.join(', ')}`));
    }
    if (said[key] !== undefined) throw dataErrors.preprocessTwice(key);
    said[key] = readValue(key, word.slice(at + 1));
  }
  return said;
}

function readValue(key: Key, value: string): string {
  const rule = rules[key];
  if ('choices' in rule) {
    if (rule.choices.includes(value)) return value;
    const known = `one of ${rule.choices.join(', ')}`;
    throw dataErrors.preprocessValue(key, value, known, didYouMean(value, rule.choices));
  }
  const zero = (key === 'floor' || key === 'std') && Number(value) === 0;
  if (!rule.form.test(value) || zero) throw dataErrors.preprocessValue(key, value, rule.expects);
  return value;
}
