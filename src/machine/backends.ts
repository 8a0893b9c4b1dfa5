/**
 * Targets, and what this machine's onnxruntime really runs: every few-bit kernel that qdq might emit, loaded, run and, where the
 * result is known, checked; and how fast a few of them are beside float.
 */
import { cpuInfo } from '../backends/cpu.ts';
import { probes } from '../backends/probes/index.ts';
import { runProbes, type ProbeResult } from '../backends/probes/probe.ts';
import { speedCases, type SpeedCase } from '../backends/probes/speeds.ts';
import { openSession } from '../backends/session.ts';
import { loadRuntime } from '../backends/runtime.ts';
import { targetOf, targets } from '../backends/targets/index.ts';
import type { Target } from '../backends/targets/target.ts';
import { measureLatency } from '../compare/latency.ts';
import type { Progress } from '../settings/options.ts';
import { rulesOf } from '../quantized/lint/index.ts';

export interface TargetInfo extends Pick<Target, 'name' | 'summary' | 'formats' | 'scheme'> {
  /** The one that quantize takes when none is named. */
  readonly thisMachine: boolean;
  readonly rules: readonly { readonly id: string; readonly text: string }[];
  readonly leftFloat: Readonly<Record<string, string>>;
}

export interface SpeedResult extends Pick<SpeedCase, 'layer' | 'form'> {
  /** Milliseconds, medians of interleaved runs with one thread. */
  readonly floatMs: number;
  readonly quantizedMs: number;
  readonly speedup: number;
}

export interface Backends {
  readonly onnxruntime: string;
  readonly cpu: string;
  readonly targets: readonly TargetInfo[];
  readonly kernels: readonly ProbeResult[];
  readonly speeds: readonly SpeedResult[];
}

export interface BackendsOptions {
  /** Milliseconds for each pair of kernels that is timed; 0: none is. Default 200. */
  readonly budgetMs?: number;
  readonly onProgress?: (progress: Progress) => void;
}

/** @throws BACKEND_MISSING when onnxruntime cannot be loaded */
export async function describeBackends(options: BackendsOptions = {}): Promise<Backends> {
  const { budgetMs = 200, onProgress } = options;
  const onnxruntime = loadRuntime().env.versions.node ?? 'unknown';
  const here = targetOf(cpuInfo());
  const kernels = await runProbes(probes);
  const speeds: SpeedResult[] = [];
  for (const each of budgetMs > 0 ? speedCases : []) {
    onProgress?.({ stage: 'timing kernels', done: speeds.length, total: speedCases.length, unit: 'kernels' });
    speeds.push(await timed(each, budgetMs));
  }
  return {
    onnxruntime,
    cpu: cpuInfo().model,
    targets: targets.map((target) => ({
      name: target.name,
      summary: target.summary,
      formats: target.formats,
      scheme: target.scheme,
      thisMachine: target === here,
      rules: rulesOf(target),
      leftFloat: target.preferFloat,
    })),
    kernels,
    speeds,
  };
}

async function timed({ layer, form, float, quantized }: SpeedCase, budgetMs: number): Promise<SpeedResult> {
  const [a, b] = [float(), quantized()];
  const first = await openSession(a.model, { threads: 1 }, layer);
  const second = await openSession(b.model, { threads: 1 }, form);
  try {
    const {
      float: floatTime,
      quant,
      speedup,
    } = await measureLatency({
      float: () => first.run(a.feeds),
      quant: () => second.run(b.feeds),
      batch: 1,
      budgetMs,
    });
    return { layer, form, floatMs: floatTime.p50, quantizedMs: quant.p50, speedup };
  } finally {
    await first.dispose();
    await second.dispose();
  }
}
