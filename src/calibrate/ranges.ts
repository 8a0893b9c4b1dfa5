/**
 * Ranges: what calibration is for, the interval that the values of each activation fill; one for each tensor, because no kernel takes a
 * scale per channel of what it sums over.
 *
 * `--range "NAME=LO,HI"` gives a range that the user knows better than samples can tell, for one tensor or for all that the operators of a
 * type give. It takes the place of what was observed after the state is read, so one state serves with and without. Functions whose values
 * have limits (Sigmoid, Tanh, ...) need none: their operators say so themselves (ops/).
 */
import { calibrateErrors } from '../errors/calibrate.ts';
import { valueFinder, type Model } from '../graph/model.ts';

/** An interval in real units; contains zero, because zero must stay exact in int8 (padding, ReLU). */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/**
 * Ranges of which none is narrower than `least`: the upper end moves up, as MinimumRealRange of onnxruntime.quantization has it. Some
 * accelerators cannot take the tiny scale of a tensor that is nearly constant.
 */
export function widened(ranges: Ranges, least: number | undefined): Ranges {
  if (!least) return ranges;
  return new Map([...ranges].map(([tensor, { min, max }]) => [tensor, { min, max: Math.max(max, min + least) }]));
}

/** Ranges by tensor name, in the order in which the tensors were asked for. */
export type Ranges = ReadonlyMap<string, Range>;

const decimal = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?`;
const syntax = new RegExp(`^(.+)=(${decimal}),(${decimal})$`, 'i');

/**
 * Reads `--range`.
 * @param observed names of the tensors whose ranges samples would tell
 * @throws CALIBRATE_RANGE_SYNTAX, CALIBRATE_RANGE for limits that are none, CALIBRATE_RANGE_TENSOR with the nearest name
 */
export function fixedRanges(texts: readonly string[], model: Model, observed: readonly string[]): Ranges {
  const find = valueFinder(model);
  const typeOf = (tensor: string): string | undefined => find(tensor)?.producer?.opType;
  const [byName, byType] = [new Map<string, Range>(), new Map<string, Range>()];
  for (const text of texts) {
    const { name, range } = parse(text);
    const named = observed.includes(name);
    const tensors = named ? [name] : observed.filter((tensor) => typeOf(tensor) === name);
    if (tensors.length === 0) {
      const types = observed.map(typeOf).filter((type) => type !== undefined);
      throw calibrateErrors.rangeTensor(name, find(name) !== undefined, [...observed, ...new Set(types)]);
    }
    if ((named ? byName : byType).has(tensors[0]!)) throw calibrateErrors.rangeTwice(name);
    for (const tensor of tensors) (named ? byName : byType).set(tensor, range);
  }
  // What is said of one tensor is meant more than what is said of many.
  return new Map([...byType, ...byName]);
}

function parse(text: string): { name: string; range: Range } {
  const [, name, low, high] = syntax.exec(text.trim()) ?? [];
  if (name === undefined) throw calibrateErrors.rangeSyntax(text);
  const range = { min: Number(low), max: Number(high) };
  // As float32 is what scales are stored in.
  const width = Math.fround(range.max - range.min);
  if (!(width > 0 && Number.isFinite(width) && range.min <= 0 && range.max >= 0))
    throw calibrateErrors.rangeLimits(text);
  return { name, range };
}
