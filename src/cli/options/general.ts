/** How a command runs, whatever it does. */
import { flag, integer, path, type Option } from '../../config/option.ts';
import { defaults } from '../../defaults.ts';

const group = 'General:';

export const general = {
  threads: integer({ group, min: 1, max: 1024, describe: 'threads of onnxruntime', defaultText: 'all cores' }),
  workers: integer({
    group,
    min: 1,
    max: 1024,
    default: defaults.workers,
    describe: 'worker threads that calibrate side by side, each with one thread of onnxruntime',
  }),
  saveEvery: integer({
    group,
    min: 0,
    default: defaults.saveEvery,
    describe: 'seconds between saves to OUT.partial, from where the same command goes on after it was stopped',
  }),
  config: path({
    group,
    describe: 'recipe file',
    defaultText: 'qdq.config.{json,yaml,yml,mjs} in this folder',
  }),
  json: flag({ group, default: false, describe: 'print the result as JSON' }),
  quiet: flag({
    group,
    alias: 'q',
    default: false,
    describe: 'no progress, notes or warnings; of a report the verdict alone',
  }),
  verbose: flag({ group, default: false, describe: 'stack traces of internal errors' }),
} satisfies Record<string, Option>;
