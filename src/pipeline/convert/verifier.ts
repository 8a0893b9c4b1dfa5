/** Holds a converted model against the runs of its source: part by part, and as a whole. */
import { cpuInfo } from '../../backends/cpu.ts';
import type { SessionOptions } from '../../backends/session-options.ts';
import { openSession } from '../../backends/session.ts';
import { targetOf, targets } from '../../backends/targets/index.ts';
import { finetuneErrors } from '../../errors/finetune.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import type { Dim, Value } from '../../graph/value.ts';
import { cutModel, cutPoints, partOf } from '../../qat/cut.ts';
import type { Lowered } from '../../qat/lower.ts';
import { withoutFakeQuants } from '../../qat/fake-quant.ts';
import type { ConvertOptions } from '../../settings/options.ts';
import {
  codeBound,
  differenceOf,
  floatBound,
  meanCodeBound,
  outputScale,
  type Deviation,
  type Results,
} from './deviations.ts';
import type { SourceRun, SourceRuns } from './source-runs.ts';
import { readStamp } from '../stamp.ts';

export class Judge {
  readonly label: string;
  /** Codes and outputs: what a part of the model ends in. */
  readonly ends: readonly string[];
  /** This CPU may saturate where others do not, and the model is judged as it runs here. */
  readonly maySaturate: boolean;
  readonly #source: Model;
  readonly #reference: SourceRuns;
  readonly #options: ConvertOptions;
  readonly #scales: ReadonlyMap<string, number>;
  readonly #session: SessionOptions;

  constructor(source: Model, reference: SourceRuns, options: ConvertOptions) {
    this.label = `the int8 form of '${options.model}'`;
    this.#source = source;
    this.#reference = reference;
    this.#options = options;
    const points = cutPoints(source);
    this.ends = [...points.keys(), ...source.graph.outputs.map(({ name }) => name)];
    const largest = (scale: Float32Array | undefined): number => scale?.reduce((a, b) => Math.max(a, b), 0) ?? 1;
    this.#scales = new Map([...points].map(([name, { quantize }]) => [name, largest(quantize.constant(1)?.floats())]));
    const target = targets.find(({ name }) => name === readStamp(source)?.target);
    const exact = targetOf(cpuInfo()).exactProducts;
    this.#session = {
      threads: options.threads,
      // Made for CPUs whose products are exact: judged as they compute.
      exactInt8: target?.exactProducts === true && !exact,
      // By default onnxruntime rounds float activations to 8 bits where it multiplies them with weights in codes. The form of the
      // source asks for that, no error of the conversion; `roundedActivations` tells what it costs.
      extra: { qdq_matmulnbits_accuracy_level: '1' },
    };
    this.maySaturate = !exact && this.#session.exactInt8 !== true;
  }

  /** Parts of the model, each fed with the codes of the source, whose results lie off. */
  async parts(lowered: Lowered): Promise<Deviation[]> {
    const { runs } = this.#reference;
    const { model, fed, shown } = cutModel(lowered.model, sharedDims(runs));
    const session = await openSession(model, this.#session, this.label);
    const found = new Map<string, Deviation>();
    try {
      for (const run of runs) {
        const values = Object.fromEntries([...fed].map(([codes, input]) => [input, run.quantized.get(codes)!]));
        const wanted = session.inputs.map(({ name }) => name);
        const feeds = Object.entries({ ...run.feeds, ...values }).filter(([name]) => wanted.includes(name));
        const results = await session.run(Object.fromEntries(feeds));
        const parts = [
          ...[...shown].map(([codes, name]) => [codes, name, run.quantized.get(codes)!] as const),
          ...Object.entries(run.outputs).map(([name, value]) => [name, name, value] as const),
        ];
        for (const [name, output, expected] of parts) {
          const { most, mean, range } = differenceOf(expected, results[output]!);
          const allowed = this.#allowed(name, range, lowered);
          const scale = this.#scales.get(name);
          // Of two quantizers in a row onnxruntime makes one, which rounds once instead of twice.
          const computed = scale !== undefined && this.resultsBefore(name).length > 0;
          const usual = computed ? scale * meanCodeBound(scale, lowered.biasStep) : Infinity;
          if (most > allowed && most > (found.get(name)?.most ?? 0)) found.set(name, { name, most, allowed });
          else if (mean > usual && !found.has(name)) found.set(name, { name, most: mean, allowed: usual });
        }
      }
    } finally {
      await session.dispose();
    }
    return [...found.values()];
  }

  #allowed(name: string, range: number, { biasStep, model }: Lowered): number {
    const step = this.#scales.get(name) ?? outputScale(model, name);
    return step === undefined ? floatBound(range, biasStep) : step * codeBound(step, biasStep) + 1e-6 * range;
  }

  /** Names of the results of all nodes between this value and the quantizers before it, in the source. */
  resultsBefore(name: string): string[] {
    const value = this.#source.graph.values.get(name);
    return value ? partOf(value).flatMap((node) => node.output()?.name ?? []) : [];
  }

  /**
   * The model as a whole. Neighbouring codes that each part may give add up on the way through a deep model; they stay far below what
   * the quantizers themselves do to it, which is what an output may differ by at most, unless it is one step or less.
   */
  async whole(lowered: Lowered): Promise<{ worst: number; deviation: Deviation | undefined }> {
    const { runs } = this.#reference;
    const results = await this.#outputs(lowered.model, this.#session);
    const far = new Map<string, { deviation: Deviation; noise: number }>();
    let worst = 0;
    for (const [i, run] of runs.entries()) {
      for (const [name, expected] of Object.entries(run.outputs)) {
        const { most, range, noise } = differenceOf(expected, results[i]![name]!);
        if (most > 0) worst = Math.max(worst, most / Math.max(range, Number.MIN_VALUE));
        const allowed = this.#allowed(name, range, lowered);
        const known = far.get(name);
        if (most <= allowed && !known) continue;
        const deviation = { name, most: Math.max(most, known?.deviation.most ?? 0), allowed };
        far.set(name, { deviation, noise: noise + (known?.noise ?? 0) });
      }
    }
    if (far.size === 0) return { worst, deviation: undefined };
    const simulate = { threads: this.#options.threads, simulate: true };
    const floats = await this.#outputs(withoutFakeQuants(this.#source), simulate);
    for (const [name, { deviation, noise }] of far) {
      const own = runs.reduce((sum, run, i) => sum + differenceOf(run.outputs[name]!, floats[i]![name]!).noise, 0);
      if (!(noise <= own)) return { worst, deviation };
    }
    return { worst, deviation: undefined };
  }

  async #outputs(model: Model, settings: SessionOptions): Promise<Results[]> {
    const session = await openSession(model, settings, this.label);
    const results: Results[] = [];
    try {
      for (const { feeds } of this.#reference.runs) results.push(await session.run(feeds));
    } finally {
      await session.dispose();
    }
    return results;
  }

  /** What was converted otherwise, and why. */
  notes(lowered: Lowered, float: ReadonlySet<string>, unsigned: boolean): string[] {
    const listed = (labels: readonly string[]): string =>
      labels
        .slice(0, 3)
        .map((label) => `'${label}'`)
        .join(', ') + (labels.length > 3 ? ` and ${labels.length - 3} more` : '');
    const labels = (names: ReadonlySet<string>): string[] =>
      [...this.#source.allNodes()].filter((node) => names.has(node.output()?.name ?? '')).map((node) => node.label);
    const notes: string[] = [];
    if (lowered.float.length > 0)
      notes.push(
        `no integer kernel reads the scales of ${listed(lowered.float)} as the model means them: float between their quantizers`,
      );
    const others = labels(float).filter((label) => !lowered.float.includes(label));
    if (others.length > 0)
      notes.push(
        `onnxruntime's integer kernels compute something else than ${listed(others)}: float between their quantizers`,
      );
    if (unsigned)
      notes.push(
        'this CPU adds products of s8 weights in saturating 16 bits: weights of 8 bits and activations are u8 now, the same numbers and exact on every CPU',
      );
    return notes;
  }

  /** What default onnxruntime does to the outputs where float activations are multiplied with weights in codes (MatMulNBits). */
  async roundedActivations({ model }: Lowered): Promise<string[]> {
    const fromCodes = (value: Value | undefined): Node | undefined =>
      value?.producer?.is('DequantizeLinear') ? value.producer : undefined;
    const products = [...model.allNodes()].filter(
      (node) => node.is('MatMul') && !fromCodes(node.input(0)) && fromCodes(node.input(1))?.input(0)?.isConstant,
    );
    if (products.length === 0) return [];
    const { runs } = this.#reference;
    const results = await this.#outputs(model, { ...this.#session, extra: {} });
    const shares = runs.flatMap(({ outputs }, i) =>
      Object.entries(outputs).map(([name, expected]) => {
        const { noise, signal } = differenceOf(expected, results[i]![name]!);
        return signal > 0 ? noise / signal : 0;
      }),
    );
    const worst = Math.max(...shares);
    if (!(worst > 1e-6)) return [];
    return [
      `onnxruntime rounds what it multiplies with ${products.length} weight(s) in codes to 8 bits: ${(-10 * Math.log10(worst)).toFixed(1)} dB of the source's outputs; its option session.qdq_matmulnbits_accuracy_level = 1 leaves that out`,
    ];
  }

  error({ name, most, allowed }: Deviation): Error {
    return finetuneErrors.notEqual(this.#options.model, name, most, allowed);
  }
}

/** Dimensions of the values between quantizers; an axis that is not the same in all runs is left open. */
function sharedDims(runs: readonly SourceRun[]): Map<string, Dim[]> {
  return new Map(
    [...runs[0]!.quantized].map(([name, { dims }]) => {
      const others = runs.map(({ quantized }) => quantized.get(name)!.dims);
      return [name, dims.map((dim, axis) => (others.every((each) => each[axis] === dim) ? dim : null))];
    }),
  );
}
