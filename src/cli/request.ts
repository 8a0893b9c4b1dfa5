/**
 * What commands make of their values before they call the library: where progress and warnings go, outputs that nobody named, the shard
 * of an array job.
 */
import { cliErrors } from '../errors/cli.ts';
import type { Shard } from '../data/selection.ts';
import { mergeErrors } from '../errors/merge.ts';
import { join, parse, relative } from 'node:path';
import { usualThreads } from '../settings/library.ts';
import type { RunFlags } from '../settings/options.ts';
import type { Console } from './console.ts';

export function runFlags(values: { readonly threads?: number }, console: Console): Required<RunFlags> {
  return {
    threads: values.threads ?? usualThreads(),
    command: ['qdq', ...process.argv.slice(2)].map(quoted).join(' '),
    onProgress: (progress) => console.progress.update(progress),
    onWarning: (message) => console.warn(message),
  };
}

/** Each worker has one thread. @throws CLI_CONFLICT */
export function checkWorkers(values: { readonly workers: number; readonly threads?: number }): void {
  if (values.workers > 1 && values.threads !== undefined)
    throw cliErrors.conflict('--threads', '--workers', 'each worker has one thread');
}

/** As it could be typed again in a POSIX shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** `models/net.onnx` → `models/net.int8.onnx` */
export function defaultOutput(model: string): string {
  const { dir, name } = parse(model);
  return join(dir, `${name}.int8.onnx`);
}

/** `out/net.int8.onnx` → `out/net.int8.report.json` */
export function defaultReport(output: string): string {
  const { dir, name, ext, base } = parse(output);
  return join(dir, `${ext === '.onnx' ? name : base}.report.json`);
}

/** As short as it can be said from here. */
export function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short !== '' && short.length < path.length ? short : path;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads `--shard`, the share of the samples that this process takes. `auto` asks the environment of an array job; it must be said, because
 * a job whose tasks are different models must not be sharded behind its user's back.
 * - `i/n`: i counts from 1.
 * - `auto`: SLURM_ARRAY_TASK_ID with _MIN, _STEP and _COUNT, which Slurm sets for `sbatch --array`.
 * - `auto/n`: the same with n given, and JOB_COMPLETION_INDEX of an indexed Kubernetes job, which starts at 0.
 *
 * @throws SHARD_*
 */
export function parseShard(given: string, env: Environment): Shard {
  const [, first, second] = /^(auto|\d{1,9})(?:\/(\d{1,9}))?$/.exec(given) ?? [];
  if (first === undefined || (first !== 'auto' && second === undefined)) throw mergeErrors.badShard(given);
  const count = second === undefined ? undefined : Number(second);
  return first === 'auto' ? shardOfJob(count, env) : checked(Number(first), count!);
}

function shardOfJob(count: number | undefined, env: Environment): Shard {
  const slurm = 'SLURM_ARRAY_TASK_ID';
  const kubernetes = 'JOB_COMPLETION_INDEX';
  if (env[slurm] !== undefined) {
    const { SLURM_ARRAY_TASK_MIN: least = '0', SLURM_ARRAY_TASK_STEP: step = '1' } = env;
    if (count === undefined && env['SLURM_ARRAY_TASK_COUNT'] === undefined) throw mergeErrors.shardNoCount(slurm);
    const offset = whole(slurm, env[slurm]) - whole('SLURM_ARRAY_TASK_MIN', least);
    const index = offset / (whole('SLURM_ARRAY_TASK_STEP', step) || 1) + 1;
    // An irregular list (--array=1,2,7) has no step that leads to its places.
    if (!Number.isSafeInteger(index)) throw mergeErrors.shardBadVariable(slurm, env[slurm]);
    return checked(index, count ?? whole('SLURM_ARRAY_TASK_COUNT', env['SLURM_ARRAY_TASK_COUNT']!));
  }
  if (env[kubernetes] === undefined) throw mergeErrors.shardNoJob();
  if (count === undefined) throw mergeErrors.shardNoCount(kubernetes);
  return checked(whole(kubernetes, env[kubernetes]) + 1, count);
}

function whole(variable: string, value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw mergeErrors.shardBadVariable(variable, value);
  return Number(value);
}

function checked(index: number, count: number): Shard {
  if (index < 1 || index > count) throw mergeErrors.shardOutside(index, count);
  return { index, count };
}
