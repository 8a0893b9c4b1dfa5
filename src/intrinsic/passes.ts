/** The fusions in the order in which a round runs them. A new fusion is one `Pass`, in a file of its own or of its family, and one line here. */
import { affineFold, affinePairs } from './affine-folding.ts';
import { batchFirst } from './batch-first.ts';
import { bnConv, convBn, loneBn } from './batch-norm-folding.ts';
import { canonical, uniqueNames } from './canonical.ts';
import { common, deadCode } from './redundancy.ts';
import { constantChannels, loneSoftmax } from './constant-results.ts';
import { constantFolding } from './constant-folding.ts';
import { constantIf, inlineFunctions } from './inlining.ts';
import { constantInputs, constantNodes } from './initializers.ts';
import { convOneD } from './conv1d.ts';
import { einsum } from './einsum.ts';
import { flatMatmul, gemmConstants, matmulAdd } from './gemm.ts';
import { gelu, silu } from './gelu-silu.ts';
import { globalPool, reduceMeanToPool } from './global-pool.ts';
import { hardSwish } from './hard-swish.ts';
import { identity, noOps } from './no-ops.ts';
import { instanceNorm, layerNorm, rmsNorm } from './normalization.ts';
import { layoutPairs, sliceConcat } from './layout-pairs.ts';
import { padFold } from './pad-fold.ts';
import type { Pass } from './pass.ts';
import { reluClip } from './relu-clip.ts';
import { shapeFolding } from './shape-folding.ts';
import { tiedTables } from './tied-tables.ts';

export const passes: readonly Pass[] = [
  inlineFunctions,
  uniqueNames,
  constantInputs,
  constantNodes,
  identity,
  batchFirst,
  // Before anything is folded into one of the two.
  tiedTables,
  shapeFolding,
  constantFolding,
  constantIf,
  reluClip,
  instanceNorm,
  layerNorm,
  rmsNorm,
  reduceMeanToPool,
  globalPool,
  noOps,
  loneSoftmax,
  sliceConcat,
  layoutPairs,
  einsum,
  matmulAdd,
  flatMatmul,
  convBn,
  hardSwish,
  silu,
  gelu,
  convOneD,
  // Behind the operators that are recognized by their constants.
  padFold,
  affinePairs,
  affineFold,
  bnConv,
  loneBn,
  gemmConstants,
  constantChannels,
  canonical,
  // Behind the fusions: what has readers of its own can be fused with them.
  common,
  deadCode,
];
