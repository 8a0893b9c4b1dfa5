import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { describe, expect, it, vi } from 'vitest';
import { openData } from '../../src/data/open.ts';
import type { InputInfo } from '../../src/data/sample.ts';
import { failure, input, readAll, temporaryFolder } from './helpers.ts';

const vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'the', 'cat', 'sat', '##s', 'on', 'mat', 'dog', '.'];
const special = (id: number) => ({
  id,
  content: vocabulary[id],
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

/** A BERT-like tokenizer of twelve tokens. */
function bert(changes: object = {}): Record<string, unknown> {
  const item = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } });
  const sequence = (id: string, type_id: number) => ({ Sequence: { id, type_id } });
  const single = [item('[CLS]', 0), sequence('A', 0), item('[SEP]', 0)];
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [0, 1, 2, 3].map(special),
    normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, lowercase: true },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single,
      pair: [...single, sequence('B', 1), item('[SEP]', 1)],
      special_tokens: {},
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
    },
    ...changes,
  };
}

function folder(files: Readonly<Record<string, string | object>>): string {
  const root = temporaryFolder();
  for (const [name, content] of Object.entries({ 'tokenizer.json': bert(), ...files })) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return root;
}

const open = (name: string): InputInfo => input(name, ['batch', 'sequence'], 'int64');
const three = ['input_ids', 'attention_mask', 'token_type_ids'].map(open);

async function samplesOf(root: string, name: string, words: string, inputs: readonly InputInfo[] = three) {
  const preprocess = `tokenizer=${root}/tokenizer.json ${words}`;
  const dataset = await openData({ path: join(root, name), preprocess }, inputs);
  return { dataset, samples: await readAll(dataset) };
}

/** The rows of a sample as numbers. */
const rows = ({ inputs }: { inputs: Readonly<Record<string, { data: ArrayLike<bigint | number> }>> }) =>
  Object.fromEntries(Object.entries(inputs).map(([name, { data }]) => [name, Array.from(data, Number)]));

describe('text with a tokenizer', () => {
  it('makes ids, masks and types of a .txt, one text a line, as long as each is', async () => {
    const root = folder({ 'a.txt': '\uFEFFThe cats sat.\r\n\n on the mat \n zebra' });
    const { dataset, samples } = await samplesOf(root, 'a.txt', '');
    expect(dataset).toMatchObject({ format: 'text', count: 3, labelled: false });
    expect(samples[0]).toEqual({
      id: 'a.txt#0',
      inputs: {
        input_ids: { type: 'int64', dims: [1, 7], data: BigInt64Array.of(2n, 4n, 5n, 7n, 6n, 11n, 3n) },
        attention_mask: { type: 'int64', dims: [1, 7], data: new BigInt64Array(7).fill(1n) },
        token_type_ids: { type: 'int64', dims: [1, 7], data: new BigInt64Array(7) },
      },
    });
    expect(samples.slice(1).map((sample) => rows(sample)['input_ids'])).toEqual([
      [2, 8, 4, 9, 3],
      [2, 1, 3],
    ]);
  });

  it('agrees with the package where nothing is cut', async () => {
    const root = folder({ 'a.jsonl': '{"text": "the cats", "other": "On the mat."}' });
    const { samples } = await samplesOf(root, 'a.jsonl', 'pair=other');
    const { ids, token_type_ids: types } = new Tokenizer(bert(), {}).encode('the cats', {
      text_pair: 'On the mat.',
      return_token_type_ids: true,
    });
    expect(rows(samples[0]!)).toEqual({ input_ids: ids, token_type_ids: types, attention_mask: ids.map(() => 1) });
    expect(types).toContain(1);
  });

  it('cuts and fills up to max-length, special tokens always staying, and keeps labels', async () => {
    const lines = [
      { text: 'the cats sat on the mat', label: 1, note: 'x' },
      { text: 'dog', label: 0 },
    ];
    const root = folder({ 'a.jsonl': lines.map((line) => JSON.stringify(line)).join('\n') });
    const { dataset, samples } = await samplesOf(root, 'a.jsonl', 'max-length=5');
    expect(dataset.labelled).toBe(true);
    expect(samples.map(({ label }) => label)).toEqual([1, 0]);
    expect(samples.map(rows)).toEqual([
      { input_ids: [2, 4, 5, 7, 3], attention_mask: [1, 1, 1, 1, 1], token_type_ids: [0, 0, 0, 0, 0] },
      { input_ids: [2, 10, 3, 0, 0], attention_mask: [1, 1, 1, 0, 0], token_type_ids: [0, 0, 0, 0, 0] },
    ]);
  });

  it.each([
    ['the cat sat on', 'the dog sat on', 7, [2, 4, 5, 3, 4, 10, 3]],
    ['the cat sat on', 'the dog sat on', 8, [2, 4, 5, 3, 4, 10, 6, 3]],
    ['the cat sat on mat', 'the dog sat on', 8, [2, 4, 5, 6, 3, 4, 10, 3]],
    ['cat', 'the dog sat on', 7, [2, 5, 3, 4, 10, 6, 3]],
    ['the dog sat on', 'cat', 7, [2, 4, 10, 6, 3, 5, 3]],
  ])('cuts of "%s" and "%s" the longer first, to %i', async (text, other, length, ids) => {
    const root = folder({ 'a.jsonl': JSON.stringify({ text, other }) });
    const { samples } = await samplesOf(root, 'a.jsonl', `pair=other max-length=${length}`);
    expect(rows(samples[0]!)['input_ids']).toEqual(ids);
  });

  it('joins two texts where no step of a byte-level tokenizer does, and types none for RoBERTa', async () => {
    const vocab = Object.fromEntries(['<s>', '</s>', 'c', 'a', 't', 'Ġ', 'at', 'cat'].map((token, id) => [token, id]));
    const model = { type: 'BPE', vocab, merges: ['a t', 'c at'], unk_token: null, byte_fallback: false };
    const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
    const plain = { added_tokens: [], normalizer: null, pre_tokenizer: bytes, decoder: bytes, model };
    const roberta = { type: 'RobertaProcessing', cls: ['<s>', 0], sep: ['</s>', 1], trim_offsets: true };
    const line = JSON.stringify({ text: 'cat at', other: 'tat' });
    const rowsWith = async (post_processor: object) => {
      const root = folder({ 'a.jsonl': line, 'tokenizer.json': bert({ ...plain, post_processor }) });
      return rows((await samplesOf(root, 'a.jsonl', 'pair=other')).samples[0]!);
    };
    expect(await rowsWith(bytes)).toEqual({
      input_ids: [7, 5, 6, 4, 6],
      attention_mask: [1, 1, 1, 1, 1],
      token_type_ids: [0, 0, 0, 1, 1],
    });
    expect(await rowsWith(roberta)).toMatchObject({
      input_ids: [0, 7, 5, 6, 1, 1, 4, 6, 1],
      token_type_ids: [0, 0, 0, 0, 0, 0, 0, 0, 0],
    });
  });

  it('takes the length that the model fixes, and the ids of a single input whatever its name', async () => {
    const root = folder({ 'a.txt': 'the cats sat\ndog' });
    const { samples } = await samplesOf(root, 'a.txt', '', [input('tokens', [1, 4], 'int32')]);
    expect(samples.map(({ inputs }) => inputs['tokens'])).toEqual([
      { type: 'int32', dims: [1, 4], data: Int32Array.of(2, 4, 5, 3) },
      { type: 'int32', dims: [1, 4], data: Int32Array.of(2, 10, 3, 0) },
    ]);
  });

  it('pads and cuts on the side and with the token that the tokenizer names', async () => {
    const config = { padding_side: 'left', truncation_side: 'left', pad_token: { content: '.' } };
    const root = folder({ 'a.txt': 'the cat sat\ndog', 'tokenizer_config.json': config });
    const { samples } = await samplesOf(root, 'a.txt', 'max-length=4', ['input_ids', 'position_ids'].map(open));
    expect(samples.map(rows)).toEqual([
      { input_ids: [2, 5, 6, 3], position_ids: [0, 1, 2, 3] },
      { input_ids: [11, 2, 10, 3], position_ids: [0, 0, 1, 2] },
    ]);
    const padding = { direction: 'Left', pad_id: 9 };
    const own = folder({ 'a.txt': 'dog', 'tokenizer.json': bert({ padding }) });
    expect(rows((await samplesOf(own, 'a.txt', 'max-length=4')).samples[0]!)).toMatchObject({
      input_ids: [9, 2, 10, 3],
      attention_mask: [0, 1, 1, 1],
    });
    expect(rows((await samplesOf(own, 'a.txt', 'max-length=4 pad=1')).samples[0]!)['input_ids']).toEqual([1, 2, 10, 3]);
  });

  it('names the tokenizer by what it is, not by where it lies', async () => {
    const [here, there, other] = [
      folder({ 'a.txt': 'dog' }),
      folder({ 'a.txt': 'dog' }),
      folder({ 'a.txt': 'dog', 'tokenizer.json': bert({ normalizer: null }) }),
    ];
    const texts = await Promise.all(
      [here, there, other].map(async (root) => (await samplesOf(root, 'a.txt', 'max-length=8')).dataset.preprocess),
    );
    expect(texts[0]).toMatch(/^tokenizer=tokenizer\.json@[0-9a-f]{16} max-length=8$/);
    expect(texts[1]).toBe(texts[0]);
    expect(texts[2]).not.toBe(texts[0]);
    const preprocess = `tokenizer=${here}`;
    expect((await openData({ path: join(here, 'a.txt'), preprocess }, three)).count).toBe(1);
  });

  it.each<[string, string, string, readonly InputInfo[], string, string]>([
    ['PREPROCESS_TOKENIZER', 'a.txt', 'max-length=4', three, '', 'tokenizer'],
    ['PREPROCESS_KEY', 'a.txt', 'tokeniser=ROOT', three, '', 'tokeniser'],
    ['PREPROCESS_VALUE', 'a.txt', 'tokenizer=ROOT max-length=0', three, '', 'max-length'],
    ['PREPROCESS_VALUE', 'a.txt', 'tokenizer=ROOT max-length=2', three, '', '2'],
    ['PREPROCESS_TWICE', 'a.txt', 'tokenizer=ROOT pad=1 pad=2', three, '', 'pad'],
    ['PREPROCESS_SHAPE', 'a.txt', 'tokenizer=ROOT max-length=4', [input('input_ids', [1, 8], 'int64')], '', '8'],
    ['DATA_NOT_TEXT', 'a.txt', 'tokenizer=ROOT', [input('x', [1, 8])], '', "'x'"],
    ['DATA_NOT_TEXT', 'a.txt', 'tokenizer=ROOT', [...three, open('mask')], '', "'mask'"],
    ['DATA_NOT_TEXT', 'a.txt', 'tokenizer=ROOT', [input('x', [1, 3, 8, 8])], '', "'x'"],
    ['TOKENIZER_FILE', 'a.txt', 'tokenizer=ROOT/none.json', three, '', 'none.json'],
    ['TOKENIZER_FILE', 'a.txt', 'tokenizer=ROOT/a.txt', three, '', 'a.txt'],
    ['PREPROCESS_NOT_TEXT', 'a.csv', 'tokenizer=ROOT', three, '', 'a.csv'],
    ['PREPROCESS_NOT_TEXT', 'a.txt', 'tokenizer=ROOT text=x', three, '', 'a.txt'],
    ['DATA_TEXT', 'a.jsonl', 'tokenizer=ROOT', three, '{"sentence": "the"}', "'sentence'"],
    ['DATA_TEXT', 'a.jsonl', 'tokenizer=ROOT', three, '{"text": 3}', 'a.jsonl#0'],
    ['DATA_TEXT', 'a.jsonl', 'tokenizer=ROOT pair=b', three, '{"text": "cat"}', "'b'"],
    ['DATA_LABEL', 'a.jsonl', 'tokenizer=ROOT', three, '{"text": "cat", "label": "good"}', 'good'],
  ])('refuses with %s: %s, %s', async (code, name, words, inputs, line, told) => {
    const root = folder({ 'a.txt': 'cat', 'a.csv': 'cat', 'a.jsonl': line });
    const preprocess = words.replaceAll('ROOT', root);
    const work = openData({ path: join(root, name), preprocess }, inputs).then((dataset) => readAll(dataset));
    const error = await failure(work);
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(told)]);
    expect(error.hint).toBeTruthy();
  });

  it('asks for a token to fill up with where the tokenizer has none', async () => {
    const vocab = { cat: 0, '[UNK]': 1 };
    const plain = { added_tokens: [], post_processor: null, model: { type: 'WordPiece', unk_token: '[UNK]', vocab } };
    const root = folder({ 'a.txt': 'cat', 'tokenizer.json': bert(plain) });
    const error = await failure(samplesOf(root, 'a.txt', 'max-length=3'));
    expect([error.code, error.hint]).toEqual(['PREPROCESS_PADDING', expect.stringContaining('pad=0')]);
    expect(rows((await samplesOf(root, 'a.txt', 'max-length=3 pad=1')).samples[0]!)['input_ids']).toEqual([0, 1, 1]);
  });

  it('leaves out a line without text with --skip-bad', async () => {
    const root = folder({ 'a.jsonl': '{"text": "cat"}\n{}\n{"text": "dog"}' });
    const preprocess = `tokenizer=${root}`;
    const dataset = await openData({ path: join(root, 'a.jsonl'), preprocess, skipBad: true }, three);
    expect((await readAll(dataset)).map(({ id }) => id)).toEqual(['a.jsonl#0', 'a.jsonl#2']);
    expect(dataset.skipped!({ from: 0 }).map(({ position }) => position)).toEqual([1]);
  });

  it('says how to install the package where it is not', async () => {
    vi.doMock('@huggingface/tokenizers', () => {
      throw new Error('Cannot find package');
    });
    try {
      const root = folder({ 'a.txt': 'cat' });
      const error = await failure(samplesOf(root, 'a.txt', ''));
      expect([error.code, error.hint]).toEqual([
        'TOKENIZERS_MISSING',
        expect.stringContaining('npm install @huggingface/tokenizers'),
      ]);
    } finally {
      vi.doUnmock('@huggingface/tokenizers');
    }
  });
});
