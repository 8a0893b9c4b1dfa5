/** The commands, in the order of help. To add one: write its file and list it here. */
import type { Sections } from '../../settings/recipe.ts';
import type { Command } from '../command.ts';
import { backends, doctor } from './backends.ts';
import { calibrate, exportTable, merge } from './calibration.ts';
import { compare, sensitivity, report } from './comparison.ts';
import { convert, finetune, prepare } from './training.ts';
import { explain } from './explain.ts';
import { fuse } from './fuse.ts';
import { inspect, lint } from './inspect.ts';
import { quantize } from './quantize.ts';
import { variants } from './variants.ts';

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
