/**
 * A user's own metric, a module:
 *
 *   export default {
 *     id: 'my-error', unit: 'mm', better: 'lower', perfect: 0,
 *     create: () => ({
 *       add({ ids, labels, outputs }) { outputs.pose.float, outputs.pose.quant, outputs.pose.dims },
 *       value: () => ({ n, quant, float?, ci95?, detail? }),
 *     }),
 *   };
 *
 * `float` is the figure of the float model (judged by labels, say); absent, it is `perfect`: quant is judged against it.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { compareErrors } from '../errors/compare.ts';
import type { TaskEvaluator, TaskScore, PairedOutput } from './metrics/metric.ts';

const isFunction = z.custom<(...args: never[]) => unknown>((value) => typeof value === 'function', 'it is no function');
const shape = z.object({
  id: z.string().regex(/^[\w.-]+$/, 'it may hold letters, digits, ".", "_" and "-"'),
  unit: z.string().default(''),
  better: z.enum(['higher', 'lower']),
  perfect: z.number().optional(),
  create: isFunction,
});
const result = z.strictObject({
  n: z.int().min(0),
  float: z.number().optional(),
  quant: z.number(),
  ci95: z.tuple([z.number(), z.number()]).optional(),
  detail: z.record(z.string(), z.number()).optional(),
});

interface Accumulator {
  add(samples: {
    readonly ids: readonly string[];
    readonly labels: readonly number[] | undefined;
    readonly outputs: Readonly<Record<string, Pick<PairedOutput, 'dims' | 'float' | 'quant'>>>;
  }): void;
  value(): unknown;
}

/** @throws METRIC_MODULE for a file that is no metric, and for a value that is none */
export async function loadMetric(path: string): Promise<TaskEvaluator> {
  let loaded: { readonly default?: unknown };
  try {
    loaded = (await import(pathToFileURL(resolve(path)).href)) as typeof loaded;
  } catch (cause) {
    throw compareErrors.metricModule(path, cause instanceof Error ? cause.message : String(cause));
  }
  const read = shape.safeParse(loaded.default);
  if (!read.success) throw compareErrors.metricModule(path, because(read.error));
  const { id, unit, better, perfect, create } = read.data;
  const accumulator = create() as Accumulator;
  if (typeof accumulator?.add !== 'function' || typeof accumulator.value !== 'function')
    throw compareErrors.metricModule(path, 'create() does not return { add, value }');
  let names: readonly string[] = [];
  return {
    add(outputs) {
      names = [...outputs.keys()];
      const { ids, labels } = outputs.values().next().value!;
      accumulator.add({ ids, labels, outputs: Object.fromEntries(outputs) });
    },
    scores(): TaskScore[] {
      const value = result.safeParse(accumulator.value());
      if (!value.success) throw compareErrors.metricModule(path, `value(): ${because(value.error)}`);
      const { float = perfect, ci95, detail, n, quant } = value.data;
      if (float === undefined) throw compareErrors.metricModule(path, 'neither value().float nor `perfect` is given');
      return [
        {
          ...{ metric: id, output: names.join(', '), unit, better, n, float, quant },
          ...(ci95 && { ci95 }),
          ...(detail && { detail }),
        },
      ];
    },
  };
}

function because(error: z.ZodError): string {
  const issue = error.issues[0]!;
  return `${issue.path.join('.') || 'the default export'}: ${issue.message}`;
}
