/** The commands about this machine: what its runtime does with few bits, and whether qdq can work here. */
import { exitCodes } from '../../errors/qdq-error.ts';
import { defineCommand } from '../command.ts';
import { palette } from '../../report/terminal-table.ts';
import { plural } from '../../report/format.ts';
import type { Backends } from '../../machine/backends.ts';
import { columns, textOf } from '../text.ts';

/** `qdq backends`: the targets, and what this machine's onnxruntime really runs in few bits. */
export const backends = defineCommand({
  stages: ['backends'],
  summary: 'list the targets, and probe which few-bit kernels run here, and how fast',
  positionals: [],
  examples: [
    ['backends', 'targets, kernels that run, speed beside float'],
    ['backends --json', 'the same with the rules of every target'],
  ],
  async run({ console }) {
    const { describeBackends } = await import('../../machine/backends.ts');
    const result = await describeBackends({ onProgress: (progress) => console.progress.update(progress) });
    console.result(result, () => textOf(lines(result)));
    return 0;
  },
});

function lines({ onnxruntime, cpu, targets, kernels, speeds }: Backends): string[] {
  const forms = [...new Set(kernels.map(({ format }) => format))];
  return [
    'targets',
    ...columns(
      targets.map(({ name, summary, formats, thisMachine }) => [
        `${thisMachine ? '*' : ' '} ${name}`,
        formats.join(' '),
        summary,
      ]),
      [0, 1, 2],
    ),
    `kernels of onnxruntime ${onnxruntime} on this machine (${cpu})`,
    ...columns(
      forms.flatMap((form) =>
        (['runs', 'wrong', 'refused'] as const).flatMap((status) => {
          const ids = kernels
            .filter((kernel) => kernel.format === form && kernel.status === status)
            .map(({ id }) => id);
          return ids.length === 0 ? [] : [[form, status, ids.join(', ')]];
        }),
      ),
      [0, 1, 2],
    ),
    'speed beside float, 1 thread',
    ...columns(
      speeds.map(({ layer, form, floatMs, quantizedMs, speedup }) => [
        layer,
        form,
        `${floatMs.toFixed(2)} ms`,
        `${quantizedMs.toFixed(2)} ms`,
        `${speedup.toFixed(2)}x`,
      ]),
      [0, 1],
    ),
  ];
}

const colors = { ok: 'green', warn: 'yellow', fail: 'red' } as const;

/** `qdq doctor`: can qdq work here, and work well? Exit code 3 when it cannot. */
export const doctor = defineCommand({
  stages: ['doctor'],
  summary: 'check the runtime, its int8 kernels, the CPU, memory and optional packages',
  positionals: [],
  examples: [['doctor', 'before the first run, and in bug reports']],
  async run({ console }) {
    const { examine } = await import('../../machine/doctor.ts');
    const diagnosis = await examine();
    console.result(diagnosis, () => {
      const lines = diagnosis.findings.flatMap(({ check, status, detail, hint }) => [
        `${palette(console.look.color)[colors[status]](status.padEnd(4))}  ${check.padEnd(16)}  ${detail}`,
        ...(hint === undefined ? [] : [`${' '.repeat(24)}${hint}`]),
      ]);
      const broken = diagnosis.findings.filter(({ status }) => status === 'fail').length;
      return [
        `qdq ${diagnosis.version}`,
        ...lines,
        broken === 0 ? 'qdq can work here' : `${plural(broken, 'check')} failed`,
      ].join('\n');
    });
    return diagnosis.healthy ? 0 : exitCodes.data;
  },
});
