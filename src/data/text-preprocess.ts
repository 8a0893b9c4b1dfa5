/**
 * The preprocessing language for text: `tokenizer` is a tokenizer.json or its folder; `max-length` counts tokens, special ones
 * included, and cuts longer texts and fills up shorter ones; `pad` is the id that fills; `text` and `pair` name the fields of .jsonl.
 */
import { didYouMean } from '../errors/qdq-error.ts';
import { dataErrors } from '../errors/data.ts';
import type { InputInfo } from './sample.ts';

const keys = ['tokenizer', 'max-length', 'pad', 'text', 'pair'] as const;
type Key = (typeof keys)[number];

/** What token ids feed, by the names that every export of a transformer uses. */
export const textInputs = ['input_ids', 'attention_mask', 'token_type_ids', 'position_ids'] as const;
/** One of them. */
export type TextInput = (typeof textInputs)[number];

/** What is done to texts, with everything decided. */
export interface TextPreprocess {
  readonly tokenizer: string;
  /** Tokens of every sample; undefined: a sample is as long as its text. */
  readonly length: number | undefined;
  /** Undefined: what the tokenizer says. */
  readonly pad: number | undefined;
  readonly field: string | undefined;
  readonly pair: string | undefined;
}

/** Reads a text; what it leaves open is decided by the inputs. @throws PREPROCESS_*, DATA_NOT_TEXT */
export function resolveText(text: string, inputs: readonly InputInfo[]): TextPreprocess {
  const said = parse(text);
  const tokenizer = said.get('tokenizer');
  if (tokenizer === undefined) throw dataErrors.tokenizerNeeded();
  for (const input of inputs) {
    const integer = input.type === 'int64' || input.type === 'int32';
    if (roleOf(input, inputs) === undefined || !integer || input.dims.length !== 2)
      throw dataErrors.tokenizerInput(input, textInputs);
  }
  const fixed = inputs.map(({ dims }) => dims[1]).find((dim) => typeof dim === 'number');
  const length = numberOf(said, 'max-length') ?? fixed;
  const unfit = inputs.find(({ dims }) => typeof dims[1] === 'number' && dims[1] !== length);
  if (unfit) throw dataErrors.tokenizerLength(length!, unfit);
  return { tokenizer, length, pad: numberOf(said, 'pad'), field: said.get('text'), pair: said.get('pair') };
}

/** A model's only input takes the ids, whatever it is called. */
export function roleOf(input: InputInfo, inputs: readonly InputInfo[]): TextInput | undefined {
  return textInputs.find((name) => name === input.name) ?? (inputs.length === 1 ? 'input_ids' : undefined);
}

/** The canonical text, one per meaning; `identity` stands for the tokenizer, which may lie elsewhere on another machine. */
export function canonicalText({ length, pad, field, pair }: TextPreprocess, identity: string): string {
  const words = [`tokenizer=${identity}`];
  if (length !== undefined) words.push(`max-length=${length}`);
  if (pad !== undefined) words.push(`pad=${pad}`);
  if (field !== undefined && field !== 'text') words.push(`text=${field}`);
  if (pair !== undefined) words.push(`pair=${pair}`);
  return words.join(' ');
}

function parse(text: string): ReadonlyMap<Key, string> {
  const said = new Map<Key, string>();
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const at = word.indexOf('=');
    const key = (at < 0 ? word : word.slice(0, at)) as Key;
    if (at < 0 || !keys.includes(key))
      throw dataErrors.unknownPreprocessKey(word, didYouMean(key, keys, `the keys for text are ${keys.join(', ')}`));
    if (said.has(key)) throw dataErrors.preprocessTwice(key);
    if (at === word.length - 1) throw dataErrors.preprocessValue(key, '', 'a value after =, without spaces');
    said.set(key, word.slice(at + 1));
  }
  return said;
}

function numberOf(said: ReadonlyMap<Key, string>, key: 'max-length' | 'pad'): number | undefined {
  const value = said.get(key);
  if (value === undefined) return undefined;
  if (!(key === 'pad' ? /^\d{1,9}$/ : /^[1-9]\d{0,8}$/).test(value))
    throw dataErrors.preprocessValue(key, value, key === 'pad' ? 'a token id such as 0' : 'a number of tokens');
  return Number(value);
}
