/** All formats by name. To add one: write its file and list it here. */
import type { Scheme } from '../../backends/targets/target.ts';
import { formatErrors } from '../../errors/formats.ts';
import { dynamic } from '../dynamic/dynamic.ts';
import type { Form, Format, FormatFlags } from '../format.ts';
import { bfloat16 } from '../float16/bfloat16.ts';
import { float16 } from '../float16/float16.ts';
import { qoperator } from '../qoperator/qoperator.ts';
import { weightOnly } from '../weight-only/weight-only.ts';
import { qdq } from './qdq.ts';

export const formats: readonly Format[] = [qdq, qoperator, dynamic, weightOnly, float16, bfloat16];

/** @throws FORMAT_UNKNOWN; FORMAT_FLAG for a flag that the format does not read; what the format itself refuses */
export function formOf(name: string, scheme: Scheme, flags: FormatFlags): Form {
  const format = formats.find((each) => each.name === name);
  if (!format) {
    throw formatErrors.unknown(
      name,
      formats.map((each) => each.name),
    );
  }
  for (const flag of Object.keys(flags) as (keyof FormatFlags)[]) {
    if (flags[flag] === undefined || format.reads.includes(flag)) continue;
    const readers = formats.filter(({ reads }) => reads.includes(flag)).map((each) => each.name);
    throw formatErrors.notRead(flag, name, readers);
  }
  return format.configure(scheme, flags);
}
