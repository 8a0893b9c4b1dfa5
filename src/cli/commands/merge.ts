/** `qdq merge`: the states of `qdq calibrate --shard` become the state of the whole run. */
import { plural } from '../../report/format.ts';
import { defineCommand } from '../command.ts';
import { shown } from '../paths.ts';

export const merge = defineCommand({
  stages: ['merge'],
  summary: 'make one calibration state of the states of its shards',
  positionals: [
    { name: 'STATE', describe: "a file of 'qdq calibrate --shard'; all shards, in any order", repeatable: true },
  ],
  required: ['output'],
  examples: [
    ['merge shard1.state shard2.state -o ranges.state', 'the same bytes as one run over all samples'],
    ['merge shard2.state -o some.state --partial', 'go on without the others'],
  ],
  async run({ positionals, values, console }) {
    const output = values.output!;
    const { mergeCalibrations } = await import('../../pipeline/index.ts');
    const result = mergeCalibrations({ states: positionals, output, partial: values.partial });
    const { shards, missing } = result;
    if (missing.length > 0)
      console.warn(
        `${missing.length} of ${shards} shards are missing: ${missing.join(', ')}; the ranges leave them out`,
      );
    console.result(result, () => {
      const held = plural(shards - missing.length, 'shard');
      return `${held} with ${plural(result.samples, 'sample')}   ${shown(result.outputPath)}`;
    });
    return 0;
  },
});
