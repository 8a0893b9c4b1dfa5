/**
 * `--shard`: which share of the samples this process takes. `auto` asks the environment of an array job; it must be said,
 * because a job whose tasks are different models must not be sharded behind its user's back.
 */
import type { Shard } from '../data/selection.ts';
import { mergeErrors } from '../errors/merge.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
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
  return first === 'auto' ? ofJob(count, env) : checked(Number(first), count!);
}

function ofJob(count: number | undefined, env: Environment): Shard {
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
