/** `qdq doctor`: can qdq work here, and work well? Exit code 3 when it cannot. */
import { exitCodes } from '../../errors/qdq-error.ts';
import { defineCommand } from '../command.ts';
import { paint } from '../console.ts';
import { plural } from '../../report/format.ts';

const colors = { ok: 'green', warn: 'yellow', fail: 'red' } as const;

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
        `${paint(status.padEnd(4), colors[status], console.look.color)}  ${check.padEnd(16)}  ${detail}`,
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
