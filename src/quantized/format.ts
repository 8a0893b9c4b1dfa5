/**
 * A format is a way to write a quantized model down: QDQ, QOperator, dynamic, weight-only, float16. It says which flags it
 * reads, what it plans and how it writes; shared code asks it and never branches on its name. Configured with a scheme and flags, it
 * plans a model, refines the plan once ranges are known, and emits. A format whose plan observes no tensor needs no samples to be made.
 *
 * To add one: write its file and list it in formats/index.ts. QOperator is a lowering of the QDQ model (qoperator/qoperator.ts); one
 * that rewrites node by node is a list of rules (node-rules.ts).
 */
import type { Scheme } from '../backends/targets/target.ts';
import type { Model } from '../graph/model.ts';
import type { Interval } from '../ops/op.ts';
import type { Plan } from '../quantizable/plan.ts';
import type { PlanRequest } from '../quantizable/planner.ts';
import type { FormatSetting, ValueOf } from '../settings/settings.ts';
import type { FormatName } from '../settings/stages.ts';
import type { QuantParams } from './quant-params.ts';

/** What a format writes. */
export interface Quantized {
  readonly model: Model;
  /** Scale and zero point by activation tensor; empty where they are computed at run time. */
  readonly activations: ReadonlyMap<string, QuantParams>;
  /** Weights whose scale was enlarged so that a bias fits int32, with the number of channels. */
  readonly repaired: readonly { readonly weight: string; readonly channels: number }[];
  /** Float tensor of the source by name of the codes made of it; biases are left out. See provenance.ts. */
  readonly origins: ReadonlyMap<string, string>;
}

/**
 * Settings that some formats read and others do not. Absent: the target's or the format's own choice. Types of numbers are words of the
 * command line or, of an override, of ONNX: what they come to is in the scheme.
 */
export type FormatFlags = {
  readonly [K in FormatSetting]?: (K extends 'activationType' | 'weightType' ? string : ValueOf<K>) | undefined;
};

/** A format with its settings. It is given no plan but those that it made itself, so that it knows their kind. */
export interface ConfiguredFormat<P extends Plan = Plan> {
  readonly format: string;
  /** The scheme in words, for reports: "QDQ, u8 activations, s8 weights per channel". */
  readonly description: string;
  /** The settings besides the scheme, for the report's recipe. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  /** It can do without the ranges that its plan observes: what they would tell is not checked then. */
  readonly rangesOptional?: true;
  /** Its operators take float16 too: what it leaves float of a float16 model is that again. */
  readonly keepsHalf?: true;
  /** Scales of activations are constants: what emitQdq makes of the plan is what its models compute. */
  readonly static?: true;
  /** It reads a matrix through a Transpose, and needs no constant of its own for a head that is tied to embeddings. */
  readonly keepsTied?: true;
  /** The least default operator set that can say it. */
  readonly leastOpset: number;
  /** What is quantized, what is left float and why, and which tensors must be observed. */
  plan(model: Model, request: PlanRequest): P;
  /** The plan refined: the one that holds now that the ranges of the tensors it observes are known. */
  refine(model: Model, request: PlanRequest, plan: P, ranges: ReadonlyMap<string, Interval>): P;
  /** Writes the model anew; the given one is left as it is. @param ranges of the tensors that the plan observes */
  emit(model: Model, plan: P, ranges: ReadonlyMap<string, Interval>): Quantized;
}

/** A format before its settings are known. */
export interface Format {
  readonly name: FormatName;
  /** One line for help and errors. */
  readonly summary: string;
  /** Its plan can follow a scheme of each node (SelectionRequest.overrides); others are configured for each scheme. */
  readonly perNode?: true;
  /**
   * Nodes in it can stand beside nodes in other formats; absent: they cannot. Parts are written in this order: what keeps the
   * names of tensors first, what changes the types of tensors last. observes: it must know ranges.
   */
  readonly mixes?: { readonly order: number; readonly observes: boolean };
  /** Reads the flags. @throws usage errors for settings that contradict each other or that no kernel runs */
  configure(scheme: Scheme, flags: FormatFlags): ConfiguredFormat;
}
