/**
 * Tokenizing: a text becomes the token ids, masks and types that a transformer takes. The package '@huggingface/tokenizers' only cuts text
 * into tokens; truncation and padding, which it does not have, are done here as the Python tokenizers do: special tokens always stay, of
 * two texts the longer is cut first. In state files a tokenizer is its name and the hash of its files.
 */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Tokenizer } from '@huggingface/tokenizers';
import { dataErrors } from '../errors/data.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import { withoutMark } from '../onnx/strings.ts';
import type { InputInfo } from './sample.ts';
import { roleOf, type TextInput, type TextPreprocess } from './text-preprocess.ts';

/** One tensor [1, tokens] per input; `id` names the sample in errors. */
export type Encode = (text: string, pair: string | undefined, id: string) => Record<string, TensorValue>;

/** The parts of tokenizer.json and tokenizer_config.json that say how texts are cut and filled up. */
interface Files {
  readonly padding?: { readonly direction?: string; readonly pad_id?: number } | null;
  readonly truncation?: { readonly direction?: string } | null;
}
interface Config {
  readonly padding_side?: string;
  readonly truncation_side?: string;
  readonly pad_token?: string | { readonly content?: string } | null;
}

interface Tokens {
  readonly ids: readonly number[];
  readonly types: readonly number[];
}

/** Loads a tokenizer. @param spec as resolved for `inputs`. @returns the encoder, and what identifies the tokenizer wherever it lies. */
export async function loadTokenizer(
  spec: TextPreprocess,
  inputs: readonly InputInfo[],
): Promise<{ encode: Encode; identity: string }> {
  const { path, text, beside } = await readFiles(spec.tokenizer);
  const TokenizerClass = await loadPackage();
  const { tokenizer, files, config } = parseFiles(TokenizerClass, path, text, beside);
  const left = (side: string | undefined): boolean => side?.toLowerCase() === 'left';
  const padLeft = left(config.padding_side ?? files.padding?.direction);
  const cutLeft = left(config.truncation_side ?? files.truncation?.direction);
  const { length } = spec;
  const pad = length === undefined ? 0 : (spec.pad ?? padOf(tokenizer, files, config));
  if (pad === undefined) throw dataErrors.tokenizerPadding(path);
  const roles = inputs.map((input) => [input, roleOf(input, inputs)!] as const);
  const identity = `${basename(path)}@${createHash('sha256').update(text).update(beside).digest('hex').slice(0, 16)}`;
  const encode: Encode = (words, pair, id) => {
    const tokens = tokensOf(tokenizer, words, pair, length, cutLeft, id);
    const size = length ?? tokens.ids.length;
    const start = padLeft ? size - tokens.ids.length : 0;
    return Object.fromEntries(
      roles.map(([input, role]) => [input.name, tensorOf(input, fill[role](tokens, size, start, pad))]),
    );
  };
  return { encode, identity };
}

/** The whole row of an input; `start` is where the tokens begin. */
const fill: Readonly<Record<TextInput, (tokens: Tokens, size: number, start: number, pad: number) => number[]>> = {
  input_ids: ({ ids }, size, start, pad) => padded(ids, size, start, pad),
  attention_mask: ({ ids }, size, start) =>
    padded(
      ids.map(() => 1),
      size,
      start,
      0,
    ),
  token_type_ids: ({ types }, size, start) => padded(types, size, start, 0),
  // Counted from the first token on; what stands beside the tokens is masked.
  position_ids: (_, size, start) => Array.from({ length: size }, (__, i) => Math.max(0, i - start)),
};

function padded(values: readonly number[], size: number, start: number, value: number): number[] {
  const row = Array.from({ length: size }, () => value);
  values.forEach((each, i) => (row[start + i] = each));
  return row;
}

function tensorOf({ type }: InputInfo, row: readonly number[]): TensorValue {
  const data = type === 'int64' ? BigInt64Array.from(row, BigInt) : Int32Array.from(row);
  return { type, dims: [1, row.length], data };
}

interface PostProcessed {
  readonly tokens: readonly string[];
  readonly types: readonly number[];
}

/** Adds special tokens. The package's own result differs from the Python tokenizers' in two ways, which are put right here. */
function finished({ post_processor: processor }: Tokenizer, first: string[], second: string[] | null): PostProcessed {
  const made = processor?.post_process(first, second, true) ?? { tokens: first, tokens_pair: second ?? [] };
  const zeros = made.tokens.map(() => 0);
  // Where no step of the tokenizer joins the texts, the second is left beside the first.
  const rest = made.tokens_pair ?? [];
  if (rest.length > 0) return { tokens: [...made.tokens, ...rest], types: [...zeros, ...rest.map(() => 1)] };
  // RoBERTa tells two texts apart by separators alone: its models know one type only.
  const untyped = processor?.config.type === 'RobertaProcessing';
  return { tokens: made.tokens, types: untyped ? zeros : (made.token_type_ids ?? zeros) };
}

function tokensOf(
  tokenizer: Tokenizer,
  text: string,
  pair: string | undefined,
  length: number | undefined,
  cutLeft: boolean,
  id: string,
): Tokens {
  const finish = (a: string[], b: string[] | null): PostProcessed => finished(tokenizer, a, b);
  const first = tokenizer.tokenize(text);
  const second = pair === undefined ? null : tokenizer.tokenize(pair);
  if (length !== undefined) {
    const specials = finish([], second && []).tokens.length;
    const room = length - specials;
    if (room < 1) throw dataErrors.tokenizerRoom(length, specials);
    const [a, b] = shares(first.length, second?.length ?? 0, room);
    cut(first, a, cutLeft);
    if (second) cut(second, b, cutLeft);
  }
  const { tokens, types } = finish(first, second);
  if (tokens.length === 0) throw dataErrors.tokenNone(id);
  const unknown = (tokenizer.model as { unk_token_id?: number } | null)?.unk_token_id;
  const ids = tokens.map((token) => {
    const found = tokenizer.token_to_id(token) ?? unknown;
    if (found === undefined) throw dataErrors.tokenUnknown(id, token);
    return found;
  });
  return { ids, types };
}

/** How many tokens of two texts stay: the shorter is left whole if it takes less than half; an odd token goes to the longer. */
function shares(a: number, b: number, room: number): readonly [number, number] {
  if (a + b <= room) return [a, b];
  const less = Math.min(a, b, Math.floor(room / 2));
  return a > b ? [room - less, less] : [less, room - less];
}

function cut(tokens: string[], length: number, left: boolean): void {
  if (left) tokens.splice(0, tokens.length - length);
  else tokens.length = length;
}

function padOf(tokenizer: Tokenizer, files: Files, { pad_token: named }: Config): number | undefined {
  if (typeof files.padding?.pad_id === 'number') return files.padding.pad_id;
  const name = typeof named === 'string' ? named : named?.content;
  const names = name === undefined ? ['[PAD]', '<pad>'] : [name];
  return names.map((each) => tokenizer.token_to_id(each)).find((each) => each !== undefined);
}

/** The text of tokenizer.json and, where it lies beside, of tokenizer_config.json ('' where it does not). */
async function readFiles(given: string): Promise<{ path: string; text: string; beside: string }> {
  try {
    const path = (await stat(given)).isDirectory() ? join(given, 'tokenizer.json') : given;
    const text = withoutMark(await readFile(path, 'utf8'));
    const beside = await readFile(join(dirname(path), 'tokenizer_config.json'), 'utf8').catch(
      (cause: NodeJS.ErrnoException) => {
        if (cause.code === 'ENOENT') return '';
        throw cause;
      },
    );
    return { path, text, beside: withoutMark(beside) };
  } catch (cause) {
    throw dataErrors.tokenizerUnreadable(given, cause);
  }
}

function parseFiles(
  TokenizerClass: typeof Tokenizer,
  path: string,
  text: string,
  beside: string,
): { tokenizer: Tokenizer; files: Files; config: Config } {
  try {
    const files = JSON.parse(text) as Files;
    const config = (beside === '' ? {} : JSON.parse(beside)) as Config;
    return { tokenizer: new TokenizerClass(files, config), files, config };
  } catch (cause) {
    throw dataErrors.tokenizerBroken(path, cause);
  }
}

/** Optional: loaded when the first text is to be read. */
async function loadPackage(): Promise<typeof Tokenizer> {
  try {
    return (await import('@huggingface/tokenizers')).Tokenizer;
  } catch (cause) {
    throw dataErrors.tokenizersMissing(cause);
  }
}
