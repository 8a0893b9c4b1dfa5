/** The fusions in the order in which a round runs them. A new fusion is one file and one line here. */
import { constantFolding } from './constant-folding.ts';
import { constantInputs } from './constant-inputs.ts';
import { constantNodes } from './constant-nodes.ts';
import { convBn } from './conv-bn.ts';
import { deadCode } from './dead-code.ts';
import { identity } from './identity.ts';
import { matmulAdd } from './matmul-add.ts';
import type { Pass } from './pass.ts';
import { reduceMeanToPool } from './reduce-mean-to-pool.ts';
import { reluClip } from './relu-clip.ts';
import { shapeFolding } from './shape-folding.ts';

export const passes: readonly Pass[] = [
  constantInputs,
  constantNodes,
  identity,
  shapeFolding,
  constantFolding,
  reluClip,
  reduceMeanToPool,
  matmulAdd,
  convBn,
  deadCode,
];
