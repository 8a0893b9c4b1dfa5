/** The fusions in the order in which a round runs them. A new fusion is one file and one line here. */
import { affineFold } from './affine-fold.ts';
import { affinePairs } from './affine-pairs.ts';
import { batchFirst } from './batch-first.ts';
import { bnConv } from './bn-conv.ts';
import { canonical } from './canonical.ts';
import { common } from './common.ts';
import { constantChannels } from './constant-channels.ts';
import { constantFolding } from './constant-folding.ts';
import { constantIf } from './constant-if.ts';
import { constantInputs } from './constant-inputs.ts';
import { constantNodes } from './constant-nodes.ts';
import { convBn } from './conv-bn.ts';
import { convOneD } from './conv1d.ts';
import { deadCode } from './dead-code.ts';
import { einsum } from './einsum.ts';
import { flatMatmul } from './flat-matmul.ts';
import { gelu } from './gelu.ts';
import { gemmConstants } from './gemm-constants.ts';
import { globalPool } from './global-pool.ts';
import { hardSwish } from './hard-swish.ts';
import { identity } from './identity.ts';
import { inlineFunctions } from './inline-functions.ts';
import { instanceNorm } from './instance-norm.ts';
import { layerNorm } from './layer-norm.ts';
import { layoutPairs } from './layout-pairs.ts';
import { loneBn } from './lone-bn.ts';
import { loneSoftmax } from './lone-softmax.ts';
import { matmulAdd } from './matmul-add.ts';
import { noOps } from './no-ops.ts';
import { padFold } from './pad-fold.ts';
import type { Pass } from './pass.ts';
import { reduceMeanToPool } from './reduce-mean-to-pool.ts';
import { reluClip } from './relu-clip.ts';
import { rmsNorm } from './rms-norm.ts';
import { shapeFolding } from './shape-folding.ts';
import { silu } from './silu.ts';
import { sliceConcat } from './slice-concat.ts';
import { tiedTables } from './tied-tables.ts';
import { uniqueNames } from './unique-names.ts';

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
