/** All formats by name. To add one: write its file and list it here. */
import { targets } from '../../backends/targets/index.ts';
import type { Scheme, Target } from '../../backends/targets/target.ts';
import { findNamed } from '../../errors/qdq-error.ts';
import { formatErrors } from '../../errors/quantized.ts';
import { dynamic } from '../dynamic/dynamic.ts';
import type { ConfiguredFormat, Format, FormatFlags } from '../format.ts';
import type { Override } from '../../quantizable/overrides.ts';
import { bfloat16 } from '../float16/bfloat16.ts';
import { float16 } from '../float16/float16.ts';
import { qoperator } from '../qoperator/qoperator.ts';
import { weightOnly } from '../weight-only/weight-only.ts';
import { isReadBy, type FormatSetting } from '../../settings/settings.ts';
import { mixedFormat } from './mixed.ts';
import { qdq } from './qdq.ts';

/** Every format, in the order in which help lists them. */
export const formats: readonly Format[] = [qdq, qoperator, dynamic, weightOnly, float16, bfloat16];

/** Configures a format. @throws FORMAT_UNKNOWN; FORMAT_FLAG for a flag that the format does not read; what the format itself refuses */
export function configureFormat(name: string, scheme: Scheme, flags: FormatFlags): ConfiguredFormat {
  const format = findFormat(name);
  for (const flag of Object.keys(flags) as FormatSetting[]) {
    if (flags[flag] === undefined || isReadBy(format.name, flag)) continue;
    const readers = formats.filter((each) => isReadBy(each.name, flag)).map((each) => each.name);
    throw formatErrors.notRead(flag, name, readers);
  }
  return format.configure(scheme, flags);
}

/**
 * The configured format with overrides of single nodes.
 * @throws as `configureFormat`; OVERRIDE_MIX and what schemes and formats refuse, with the override that says it
 */
export function configureWithOverrides(
  name: string,
  target: Target,
  scheme: Scheme,
  flags: FormatFlags,
  overrides: readonly Override[],
): ConfiguredFormat {
  const configured = configureFormat(name, scheme, flags);
  if (flags.floatType === 'float16' && target.slowFloat16 !== undefined)
    throw formatErrors.slowFloat16(target.name, target.slowFloat16, halfTargets());
  if (overrides.length === 0) return configured;
  return mixedFormat(
    { format: findFormat(name), configured, flags, target, formats, configure: configureFormat },
    overrides,
  );
}

const halfTargets = (): string[] =>
  targets
    .filter(({ slowFloat16, formats: run }) => slowFloat16 === undefined && run.includes('qdq'))
    .map(({ name }) => name);

function findFormat(name: string): Format {
  return findNamed<Format>(formats, name, (format) => format.name, formatErrors.unknown);
}
