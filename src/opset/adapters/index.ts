/** The adapters. A new one is a file and a line here; for one operator, in order of version. */
import type { Adapter } from '../adapter.ts';
import { batchNormalization14, batchNormalization9, groupNormalization21 } from './normalization.ts';
import { clip11, dropout10, dropout12 } from './elementwise.ts';
import { dft20, reduce18, reduceSum13, scan9, softmax13, topK10 } from './axes.ts';
import { gridSample20, resize11, resize13, roiAlign16, upsample10, upsample9 } from './resampling.ts';
import { pad11, scatter11, slice10, split13, split18, squeeze13, unsqueeze13 } from './indexing.ts';

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
