/** How a command runs, whatever it does. */
import { flag, integer, path } from './setting.ts';
import { every, sampled, trained } from './stages.ts';

const group = 'General:';

export const general = {
  /** Intra-op threads of onnxruntime. */
  threads: integer({
    group,
    stages: sampled,
    min: 1,
    max: 1024,
    describe: 'threads of onnxruntime',
    defaultText: 'all cores',
  }),
  /** Worker threads, each with a session of its own and one thread, whatever `threads` says; 1: none. In training they share each batch. */
  workers: integer({
    group,
    stages: ['calibrate', ...trained],
    min: 1,
    max: 1024,
    default: 1,
    describe: 'worker threads that calibrate side by side, each with one thread of onnxruntime',
  }),
  /** Seconds between saves of what there is so far, to `output`.partial, from where a run that was stopped goes on. */
  saveEvery: integer({
    group,
    stages: ['calibrate'],
    min: 0,
    default: 10,
    describe: 'seconds between saves to OUT.partial, from where the same command goes on after it was stopped',
  }),
  config: path({
    group,
    reads: { kind: 'file', as: 'the recipe' },
    stages: [...sampled, 'inspect', 'lint'],
    option: false,
    describe: 'recipe file',
    defaultText: 'qdq.config.{json,yaml,yml,mjs} in this folder',
  }),
  json: flag({ group, stages: every, option: false, default: false, describe: 'print the result as JSON' }),
  quiet: flag({
    group,
    stages: every,
    option: false,
    alias: 'q',
    default: false,
    describe: 'no progress, notes or warnings; of a report the verdict alone',
  }),
  verbose: flag({ group, stages: every, option: false, default: false, describe: 'stack traces of internal errors' }),
};
