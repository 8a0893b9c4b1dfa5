/** Every metric, in the order of the report. Reports, gates and the contract test iterate these lists. */
import { agreement } from './agreement.ts';
import { cosine } from './cosine.ts';
import { kl } from './kl.ts';
import { maxAbs } from './max-abs.ts';
import { meanAbs } from './mean-abs.ts';
import type { OutputMetric, TaskMetric } from './metric.ts';
import { normL2 } from './norm-l2.ts';
import { sqnr } from './sqnr.ts';
import { top1 } from './top1.ts';
import { top5 } from './top5.ts';

export const outputMetrics: readonly OutputMetric[] = [sqnr, cosine, maxAbs, meanAbs, normL2, kl, agreement];
export const taskMetrics: readonly TaskMetric[] = [top1, top5];
