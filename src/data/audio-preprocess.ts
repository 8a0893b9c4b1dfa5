/**
 * The preprocessing language for sound. `rate` is in samples per second, everything else counts samples at that rate. Either a
 * clip is one sample of a fixed `length` (cut at its end or filled up with zeros), or it is cut into frames: a frame is `frame`
 * new samples, the next begins `hop` later, and each is preceded by the `context` samples before it (zeros at the start). The
 * frames of one clip are a sequence.
 */
import { didYouMean } from '../errors.ts';
import { dataErrors } from '../errors/data.ts';
import type { InputInfo } from './sample.ts';

const keys = ['rate', 'length', 'frame', 'hop', 'context'] as const;
type Key = (typeof keys)[number];

export interface AudioPreprocess {
  /** Undefined: that of the files, which must agree. */
  readonly rate: number | undefined;
  /** Undefined: a clip is as long as it is. */
  readonly length: number | undefined;
  readonly frames: { readonly frame: number; readonly hop: number; readonly context: number } | undefined;
}

/** What the text leaves open is decided by the input. @throws PREPROCESS_*, DATA_NOT_AUDIO */
export function resolveAudio(text: string | undefined, input: InputInfo): AudioPreprocess {
  const time = input.dims.at(-1);
  const others = input.dims.slice(0, -1);
  if (
    time === undefined ||
    others.some((dim) => typeof dim === 'number' && dim !== 1) ||
    !input.type.startsWith('float')
  )
    throw dataErrors.notASoundInput(input);
  const said = parse(text ?? '');
  const { rate, length, frame, context = 0, hop = frame } = said;
  if (frame !== undefined && length !== undefined) throw dataErrors.audioFrameOrLength();
  const needsFrame =
    frame === undefined ? (['hop', 'context'] as const).find((key) => said[key] !== undefined) : undefined;
  if (needsFrame !== undefined) throw dataErrors.audioNeedsFrame(needsFrame);
  const fixed = typeof time === 'number' ? time : undefined;
  if (frame === undefined) {
    if (length !== undefined && fixed !== undefined && length !== fixed)
      throw dataErrors.audioLength(`length=${length}`, length, input);
    return { rate, length: length ?? fixed, frames: undefined };
  }
  if (fixed !== undefined && frame + context !== fixed) {
    throw dataErrors.audioLength(`frame=${frame} context=${context}`, frame + context, input);
  }
  return { rate, length: undefined, frames: { frame, hop: hop!, context } };
}

/** One text per meaning. */
export function canonicalAudio({ rate, length, frames }: AudioPreprocess): string {
  const words: string[] = [];
  if (rate !== undefined) words.push(`rate=${rate}`);
  if (length !== undefined) words.push(`length=${length}`);
  if (frames) words.push(`frame=${frames.frame}`, `hop=${frames.hop}`, `context=${frames.context}`);
  return words.join(' ') || 'whole clips at their own rate';
}

function parse(text: string): Partial<Record<Key, number>> {
  const said: Partial<Record<Key, number>> = {};
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const at = word.indexOf('=');
    const key = (at < 0 ? word : word.slice(0, at)) as Key;
    if (at < 0 || !keys.includes(key))
      throw dataErrors.unknownPreprocessKey(word, didYouMean(key, keys, `the keys for sound are ${keys.join(', ')}`));
    if (said[key] !== undefined) throw dataErrors.preprocessTwice(key);
    const value = word.slice(at + 1);
    if (!(key === 'context' ? /^\d{1,9}$/ : /^[1-9]\d{0,8}$/).test(value))
      throw dataErrors.preprocessValue(
        key,
        value,
        key === 'rate' ? 'a rate in Hz such as 16000' : 'a number of samples',
      );
    said[key] = Number(value);
  }
  return said;
}
