/** The commands, in the order of help. To add one: write its file and list it here. */
import type { Sections } from '../../settings/recipe-schema.ts';
import type { Command } from '../command.ts';
import { backends } from './backends.ts';
import { calibrate } from './calibrate.ts';
import { compare } from './compare.ts';
import { convert } from './convert.ts';
import { doctor } from './doctor.ts';
import { explain } from './explain.ts';
import { exportTable } from './export.ts';
import { finetune } from './finetune.ts';
import { fuse } from './fuse.ts';
import { inspect } from './inspect.ts';
import { lint } from './lint.ts';
import { merge } from './merge.ts';
import { prepare } from './prepare.ts';
import { quantize } from './quantize.ts';
import { sensitivity } from './sensitivity.ts';
import { variants } from './variants.ts';
import { report } from './report.ts';

export const commands: readonly Command[] = [
  inspect,
  explain,
  fuse,
  calibrate,
  merge,
  exportTable,
  quantize,
  variants,
  prepare,
  finetune,
  convert,
  compare,
  sensitivity,
  lint,
  backends,
  report,
  doctor,
];

/** What a recipe may say, per command. */
export const sections: Sections = Object.fromEntries(
  commands.filter(({ settings }) => settings.includes('config')).map(({ name, settings }) => [name, settings]),
);
