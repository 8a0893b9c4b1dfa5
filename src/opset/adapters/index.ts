/** The adapters. A new one is a file and a line here; for one operator, in order of version. */
import type { Adapter } from '../adapter.ts';
import { batchNormalization14, batchNormalization9 } from './batch-normalization.ts';
import { clip11 } from './clip.ts';
import { dft20 } from './dft.ts';
import { dropout10, dropout12 } from './dropout.ts';
import { gridSample20 } from './grid-sample.ts';
import { groupNormalization21 } from './group-normalization.ts';
import { pad11 } from './pad.ts';
import { reduce18, reduceSum13 } from './reduce.ts';
import { resize11, resize13 } from './resize.ts';
import { roiAlign16 } from './roi-align.ts';
import { scan9 } from './scan.ts';
import { scatter11 } from './scatter.ts';
import { slice10 } from './slice.ts';
import { softmax13 } from './softmax.ts';
import { split13, split18 } from './split.ts';
import { squeeze13, unsqueeze13 } from './squeeze.ts';
import { topK10 } from './top-k.ts';
import { upsample10, upsample9 } from './upsample.ts';

export const adapters: readonly Adapter[] = [
  batchNormalization9,
  batchNormalization14,
  clip11,
  dft20,
  dropout10,
  dropout12,
  gridSample20,
  groupNormalization21,
  pad11,
  reduceSum13,
  reduce18,
  resize11,
  resize13,
  roiAlign16,
  scan9,
  scatter11,
  slice10,
  softmax13,
  split13,
  split18,
  squeeze13,
  topK10,
  unsqueeze13,
  upsample9,
  upsample10,
];
