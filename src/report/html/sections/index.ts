/** The sections of the HTML report in reading order. To add one: write its file and list it here. */
import type { Section } from '../section.ts';
import { along } from './along.ts';
import { cost } from './cost.ts';
import { health } from './health.ts';
import { outputs } from './outputs.ts';
import { placement } from './placement.ts';
import { provenance } from './provenance.ts';
import { scatter } from './scatter.ts';
import { sensitivity } from './sensitivity.ts';
import { task } from './task.ts';
import { tensors } from './tensors.ts';
import { training } from './training.ts';

export const sections: readonly Section[] = [
  along,
  scatter,
  task,
  outputs,
  tensors,
  sensitivity,
  training,
  cost,
  placement,
  health,
  provenance,
];
