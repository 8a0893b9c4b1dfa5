/** Texts, their tokenizer, and the inputs that token ids feed. */
import { dataError, didYouMean, usageError, type QdqError } from '../../errors.ts';
import { expects, list, reason, type Input } from './words.ts';

export const texts = {
  tokenizersMissing: (cause: unknown): QdqError =>
    dataError(
      'TOKENIZERS_MISSING',
      `texts are cut into tokens by the package '@huggingface/tokenizers', which does not load: ${reason(cause)}`,
      "run 'npm install @huggingface/tokenizers', or give token ids: .jsonl, .npy or .npz",
      cause,
    ),

  tokenizerUnreadable: (path: string, cause: unknown): QdqError =>
    dataError(
      'TOKENIZER_FILE',
      `--preprocess: the tokenizer '${path}' cannot be read: ${reason(cause)}`,
      "give the model's tokenizer.json, or the folder that holds it: tokenizer=PATH",
      cause,
    ),

  tokenizerBroken: (path: string, cause: unknown): QdqError =>
    dataError(
      'TOKENIZER_FILE',
      `'${path}' is not a tokenizer that can be used: ${reason(cause)}`,
      'give the tokenizer.json that was saved with the model',
      cause,
    ),

  tokenizerNeeded: (): QdqError =>
    usageError(
      'PREPROCESS_TOKENIZER',
      '--preprocess of text names no tokenizer',
      'add tokenizer=tokenizer.json, or leave --preprocess out when the lines hold numbers',
    ),

  tokenizerInput: (input: Input, known: readonly string[]): QdqError =>
    usageError(
      'DATA_NOT_TEXT',
      `${expects(input)}: text feeds ${list(known)}, int64 or int32, of two dimensions`,
      didYouMean(input.name, known, 'set others to constants (--input NAME=VALUE), or give their numbers as .jsonl'),
    ),

  tokenizerLength: (length: number, input: Input): QdqError =>
    usageError(
      'PREPROCESS_SHAPE',
      `--preprocess makes ${length} tokens, but ${expects(input)}`,
      'leave max-length out where the model fixes the length',
    ),

  tokenizerPadding: (path: string): QdqError =>
    usageError(
      'PREPROCESS_PADDING',
      `'${path}' names no token to fill short texts up with`,
      'name its id: --preprocess "... pad=0", or leave max-length out where the model takes any length',
    ),

  tokenizerRoom: (length: number, specials: number): QdqError =>
    usageError(
      'PREPROCESS_VALUE',
      `--preprocess: the tokenizer adds ${specials} tokens to every text, which leaves none of ${length} for the text`,
      `give max-length=${specials + 1} or more`,
    ),

  tokenUnknown: (id: string, token: string): QdqError =>
    dataError(
      'DATA_TOKEN',
      `${id}: the tokenizer has no id for its token '${token}'`,
      'give the tokenizer.json that was saved with the model',
    ),

  tokenNone: (id: string): QdqError =>
    dataError('DATA_TOKEN', `${id}: the text has no tokens`, 'correct the line, or skip it with --skip-bad'),

  textOfTable: (path: string): QdqError =>
    usageError('PREPROCESS_NOT_TEXT', `'${path}': texts are read from .txt or .jsonl`, 'write {"text": "..."} lines'),

  textFields: (path: string, key: string): QdqError =>
    usageError(
      'PREPROCESS_NOT_TEXT',
      `--preprocess: ${key} names a field of .jsonl; a line of '${path}' is one text`,
      `leave ${key} out`,
    ),

  textMissing: (id: string, field: string, fields: Readonly<Record<string, unknown>>): QdqError => {
    const names = Object.keys(fields).filter((name) => typeof fields[name] === 'string');
    return dataError(
      'DATA_TEXT',
      `${id}: field '${field}' holds no text (texts: ${list(names)})`,
      names.length > 0
        ? `name the field: --preprocess "... text=${names[0]}", or skip the line with --skip-bad`
        : 'give {"text": "..."} on each line, or skip it with --skip-bad',
    );
  },
};
