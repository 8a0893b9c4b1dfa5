/** Reductions: the axes became an input, of ReduceSum five opsets before the others. */
import type { Adapter } from '../adapter.ts';
import { axesToInput } from '../constants.ts';

export const reduceSum13: Adapter = { ops: ['ReduceSum'], version: 13, adapt: axesToInput };

export const reduce18: Adapter = {
  ops: [
    'ReduceL1',
    'ReduceL2',
    'ReduceLogSum',
    'ReduceLogSumExp',
    'ReduceMax',
    'ReduceMean',
    'ReduceMin',
    'ReduceProd',
    'ReduceSumSquare',
  ],
  version: 18,
  adapt: axesToInput,
};
