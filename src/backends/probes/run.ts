/** Loads and runs every probe, and holds what comes out against what is expected. */
import { QdqError } from '../../errors/qdq-error.ts';
import { bfloat16ToFloat32, float16ToFloat32 } from '../../onnx/narrow-types.ts';
import type { TensorValue } from '../../onnx/data-types.ts';
import { openSession } from '../session.ts';
import { probes, type Probe } from './index.ts';

/** What came of a probe. */
export interface ProbeResult {
  readonly id: string;
  readonly format: Probe['format'];
  /** wrong: it runs and gives another result than its definition. */
  readonly status: 'runs' | 'wrong' | 'refused';
  /** What onnxruntime said, or what came out. */
  readonly detail?: string;
}

/** Runs probes one after the other; a refusal is a result. */
export async function runProbes(list: readonly Probe[] = probes): Promise<ProbeResult[]> {
  const results: ProbeResult[] = [];
  for (const probe of list) results.push({ id: probe.id, format: probe.format, ...(await runProbe(probe)) });
  return results;
}

async function runProbe({ id, build, expected }: Probe): Promise<Pick<ProbeResult, 'status' | 'detail'>> {
  try {
    const { model, feeds } = build();
    const session = await openSession(model, {}, `the probe '${id}'`);
    try {
      const [output] = Object.values(await session.run(feeds));
      const values = numbersOf(output!);
      const wrong = expected && values.find((value) => !(Math.abs(value - expected.value) <= expected.tolerance));
      return wrong === undefined
        ? { status: 'runs' }
        : { status: 'wrong', detail: `${wrong} instead of ${expected!.value}` };
    } finally {
      await session.dispose();
    }
  } catch (error) {
    if (!(error instanceof QdqError)) throw error;
    return { status: 'refused', detail: error.message };
  }
}

function numbersOf({ type, data }: TensorValue): number[] {
  if (type === 'float16') return Array.from(data as Uint16Array, (bits) => float16ToFloat32(bits));
  if (type === 'bfloat16') return Array.from(data as Uint16Array, (bits) => bfloat16ToFloat32(bits));
  return Array.from(data as ArrayLike<number>);
}
