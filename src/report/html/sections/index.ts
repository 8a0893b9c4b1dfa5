/** The sections of the HTML report in reading order. To add one: write its file and list it here. */
import type { Section } from '../section.ts';
import { along } from './along.ts';
import { cost, placement } from './runtime.ts';
import { health, provenance } from './provenance.ts';
import { outputs, task } from './accuracy.ts';
import { scatter } from './scatter.ts';
import { sensitivity } from './sensitivity.ts';
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
