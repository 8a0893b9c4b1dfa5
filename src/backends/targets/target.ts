/**
 * A target is a runtime on a kind of machine: which scheme it runs fastest, what else it takes, and which operators it runs
 * better in float. All of it is data: the planner and the emission ask for it, and `lint` holds a finished model against it.
 */

/** Types of the codes of activations and of weights. */
export type ActivationType = 'uint8' | 'int8' | 'uint16' | 'int16';
export type WeightType = 'int8' | 'uint8' | 'int16' | 'uint16' | 'int4' | 'uint4';

/**
 * How much of the integer range weights may use. full: all of it. reduced: 7 bits. pairs: all of it, except that no two
 * neighbouring products can overflow the 16-bit sums of x64 kernels without VNNI.
 */
export type WeightRange = 'full' | 'reduced' | 'pairs';

/** Types and granularity of the codes. */
export interface Scheme {
  readonly activationType: ActivationType;
  readonly activationSymmetric: boolean;
  readonly weightType: WeightType;
  readonly perChannel: boolean;
  readonly weightRange: WeightRange;
  /** How the scales of weights are found (quantized/weight-observers); default max. */
  readonly weightObserver?: string;
}

/** The QDQ encoding: how a graph says in QuantizeLinear and DequantizeLinear what is quantized. */
export interface QdqEncoding {
  /** float: left as it is. int32: at (input scale × weight scale), with or without the zero point 0 spelled out. */
  readonly bias: 'int32' | 'int32-without-zero-point' | 'float';
  /** codes: integers behind a DequantizeLinear. pairs: float constants behind QuantizeLinear and DequantizeLinear. */
  readonly weights: 'codes' | 'pairs';
  /** share: one DequantizeLinear for all readers of a tensor. own-dequantizer: one for each. own-pair: a whole pair for each. */
  readonly readers: 'share' | 'own-dequantizer' | 'own-pair';
  /**
   * What becomes of a table that rows are picked from and that is multiplied with, too. once: its codes are stored once, and the
   * product reads their Transpose, which the runtime computes when it loads the model. apart: codes for each.
   */
  readonly tables: 'once' | 'apart';
}

/** Where activations carry quantizers. */
export interface Placement {
  /**
   * edges: on the inputs and the output of every int8 region. inputs: where an int8 operator reads, and nowhere else: the
   * result of an operator with weights stays float, and so does the branch of a sum that such an operator ends.
   */
  readonly activations: 'edges' | 'inputs';
  /** between: operators without weights run in int8 between int8 neighbours. everywhere: also among float ones. */
  readonly followers: 'between' | 'everywhere';
}

/** Parameters of a quantizer. */
export interface FixedParameters {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** What --format may be. */
export type TargetFormat = 'qdq' | 'qoperator' | 'dynamic' | 'weight-only' | 'fp16' | 'bf16';

/** What a runtime on a kind of machine takes, and what it runs best. */
export interface Target {
  readonly name: string;
  readonly summary: string;
  /** The default of this target. */
  readonly scheme: Scheme;
  /** Forms of a model that it runs. */
  readonly formats: readonly TargetFormat[];
  readonly activationTypes: readonly ActivationType[];
  readonly weightTypes: readonly WeightType[];
  /** Activations only with the zero point in the middle. */
  readonly symmetricActivations: boolean;
  /** Operator types whose weights may have one scale per channel; undefined: all that have an axis for it. */
  readonly perChannel: readonly string[] | undefined;
  /** Weight types that may have one scale per channel. */
  readonly perChannelTypes: readonly WeightType[];
  readonly encoding: QdqEncoding;
  readonly placement: Placement;
  /** Output parameters that its kernels insist on, by operator type and activation type. */
  readonly fixed: Readonly<Record<string, Partial<Record<ActivationType, FixedParameters>>>>;
  /** Operator types of the default domain that it runs in int8; undefined: all that have an int8 form. */
  readonly operators: readonly string[] | undefined;
  /** Operator types that this target runs better in float, with the reason `qdq explain` gives. */
  readonly preferFloat: Readonly<Record<string, string>>;
  /** True when it runs an operator that only moves values faster on codes than between quantizers; see OpSpec.moveCodes. */
  readonly movesCodes: boolean;
  /** Versions of the default operator set that it reads. */
  readonly opset: { readonly least: number; readonly newest: number };
  /** The newest to which a model is upgraded for operators that it runs as a whole (LayerNormalization, Gelu, RMSNormalization). */
  readonly fusedOpset: number;
  /** Why float16 beside int8 is no faster there; absent where it is. */
  readonly slowFloat16?: string | undefined;
  /** True when its int8 products are exact for full-range u8 × s8 operands. */
  readonly exactProducts: boolean;
}
