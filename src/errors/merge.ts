/** Errors of shards and of merging: states that do not belong together, and shards that are missing or there twice. */
import { dataError, usageError, type QdqError } from './qdq-error.ts';

const sameCommand = 'give all shards the same model, data and flags; only --shard and --output differ between them';

/** Two states, by file, that differ in something they must share. */
interface Pair {
  readonly first: string;
  readonly second: string;
}

function differs(code: string, { first, second }: Pair, what: string, hint = sameCommand): QdqError {
  return dataError(code, `${first} and ${second} cannot be merged: ${what}`, hint);
}

function quoted(value: string | undefined): string {
  return value === undefined ? 'none' : `'${value}'`;
}

export const mergeErrors = {
  badShard: (given: string): QdqError =>
    usageError(
      'SHARD_FORMAT',
      `--shard: '${given}' is not a shard`,
      "write i/n (2/5 is the second of five), auto/n or auto to take i from an array job's environment",
    ),

  shardOutside: (index: number, count: number): QdqError =>
    usageError('SHARD_OUTSIDE', `--shard: there is no shard ${index} of ${count}`, `shards count from 1 to ${count}`),

  shardNoJob: (): QdqError =>
    usageError(
      'SHARD_NO_JOB',
      '--shard auto: neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set',
      'outside an array job write --shard i/n',
    ),

  shardBadVariable: (variable: string, value: string): QdqError =>
    usageError(
      'SHARD_VARIABLE',
      `--shard auto: ${variable} is '${value}', not a whole number that fits`,
      'write --shard i/n instead',
    ),

  shardNoCount: (variable: string): QdqError =>
    usageError(
      'SHARD_NO_COUNT',
      `--shard auto: ${variable} is set, but nothing says how many shards there are`,
      'write --shard auto/n with the number of tasks',
    ),

  shardTooMany: (count: number, samples: number): QdqError =>
    usageError(
      'SHARD_TOO_MANY',
      `${samples} sample${samples === 1 ? '' : 's'} cannot be spread over ${count} shards`,
      `use at most ${samples} shard${samples === 1 ? '' : 's'}, or more --samples`,
    ),

  notAShard: (path: string): QdqError =>
    dataError(
      'MERGE_NOT_A_SHARD',
      `${path}: is a whole calibration, not a shard of one`,
      "use it as it is, or leave it out: only the states of 'qdq calibrate --shard' are merged",
    ),

  model: (pair: Pair): QdqError => differs('MERGE_MODEL', pair, 'they were calibrated with different models'),

  observer: (pair: Pair, a: string, b: string): QdqError =>
    differs('MERGE_OBSERVER', pair, `their observers are '${a}' and '${b}'`),

  options: (pair: Pair, a: string, b: string): QdqError =>
    differs('MERGE_OPTIONS', pair, `the options of their observer are ${a} and ${b}`),

  preprocess: (pair: Pair, a: string | undefined, b: string | undefined): QdqError =>
    differs('MERGE_PREPROCESS', pair, `their preprocessing is ${quoted(a)} and ${quoted(b)}`),

  tensors: (pair: Pair, tensor: string | undefined): QdqError =>
    differs(
      'MERGE_TENSORS',
      pair,
      tensor === undefined
        ? 'they hold the same tensors in another order'
        : `only one of them holds tensor '${tensor}'`,
      'make all shards with the same version of qdq and the same flags',
    ),

  data: (pair: Pair, a: string, b: string): QdqError =>
    differs('MERGE_DATA', pair, `their samples come from data of different kinds, ${a} and ${b}`),

  arrays: (pair: Pair): QdqError =>
    differs(
      'MERGE_ARRAYS',
      pair,
      'releases of qdq made them that sample elements in different ways',
      'make all shards with the same version of qdq',
    ),

  selection: (pair: Pair): QdqError =>
    differs(
      'MERGE_SELECTION',
      pair,
      'they are shards of different choices of samples',
      'give all shards the same data, --samples and --seed',
    ),

  shardCount: (pair: Pair, a: number, b: number): QdqError =>
    differs('MERGE_SHARD_COUNT', pair, `one is of ${a} shards, the other of ${b}`),

  duplicate: ({ first, second }: Pair, index: number, count: number): QdqError =>
    dataError('MERGE_DUPLICATE', `${first} and ${second} both hold shard ${index}/${count}`, 'give each shard once'),

  missing: (indices: readonly number[], count: number): QdqError =>
    dataError(
      'MERGE_MISSING',
      `${indices.length === 1 ? 'shard' : 'shards'} ${indices.map((index) => `${index}/${count}`).join(', ')} missing`,
      'calibrate and give them too, or merge what there is with --partial',
    ),
};
