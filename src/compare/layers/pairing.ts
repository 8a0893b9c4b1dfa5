/**
 * Which tensor of the float model each tensor of the other one stands for: by the record that quantization left in the model
 * where there is one for this very float file, else by structure.
 */
import { valueTypes } from '../../graph/element-types.ts';
import { type Model, valueFinder } from '../../graph/model.ts';
import type { Value } from '../../graph/value.ts';
import { readProvenance } from '../../quantized/provenance.ts';
import { asLoaded } from '../../quantized/dequantize.ts';
import { isDequantize, isQuantize } from '../regions.ts';
import { bare, findQuantizers, type Quantizer } from './quantizers.ts';
import { matchStructure } from './structure.ts';

/** A tensor of the quantized model and its partner in the float one. */
export interface Pair {
  /** In the quantized model: codes, or a float value where nothing is quantized. */
  readonly value: Value;
  readonly quantizer: Quantizer | undefined;
  /** In `reference`. */
  readonly origin: Value | undefined;
  /** Why there is no origin. */
  readonly unpaired: string | undefined;
}

export interface Pairing {
  /** In the order of the quantized model's graph. */
  readonly pairs: readonly Pair[];
  /** The float model whose values the origins are, and the other one, whose values are paired. */
  readonly reference: Model;
  readonly quant: Model;
  readonly how: 'record' | 'structure';
}

/** A model as its file has it, and fused, as quantization sees it; the same where fusing is not for it. */
export interface Forms {
  readonly plain: Model;
  readonly fused: Model;
}

/** @param sha256 of the float model's file */
export function pairTensors(float: Forms, other: Forms, sha256: string): Pairing {
  const quant = asLoaded(other.plain);
  const quantizers = findQuantizers(quant);
  const record = readProvenance(quant);
  if (record && record.source === sha256) {
    const find = valueFinder(float.fused);
    const pairs = quantizers.map((quantizer): Pair => {
      const name = record.tensors.get(quantizer.codes.name);
      const origin = name === undefined ? undefined : find(name);
      const why = name === undefined ? 'the record in the model does not name it' : `the fused model has no '${name}'`;
      return { value: quantizer.codes, quantizer, origin, unpaired: origin ? undefined : why };
    });
    if (pairs.length > 0) return { pairs, reference: float.fused, quant, how: 'record' };
  }
  if (quantizers.length === 0)
    return best(byStructure(float.fused, other.fused, []), byStructure(float.plain, quant, []));
  // Another tool may have fused or not before it quantized.
  return best(byStructure(float.fused, quant, quantizers), byStructure(float.plain, quant, quantizers));
}

function byStructure(reference: Model, quant: Model, quantizers: readonly Quantizer[]): Pairing {
  const matches = matchStructure(reference, quant);
  const pairs = quantizers.length > 0 ? quantizers.map((each) => pairOf(each, matches)) : plainPairs(quant, matches);
  return { pairs, reference, quant, how: 'structure' };
}

function best(a: Pairing, b: Pairing): Pairing {
  const paired = ({ pairs }: Pairing): number => pairs.filter(({ origin }) => origin).length;
  return paired(b) > paired(a) ? b : a;
}

function pairOf(quantizer: Quantizer, matches: ReadonlyMap<Value, Value>): Pair {
  const { codes, kind } = quantizer;
  const stands = kind === 'activation' ? [bare(codes.producer!.input(0)!)] : dequantized(codes);
  const origin = stands.map((value) => matches.get(value)).find((value) => value !== undefined);
  const unpaired = origin ? undefined : 'no tensor of the float model has the same place in its structure';
  return { value: codes, quantizer, origin, unpaired };
}

/** What the copies of a weight's DequantizeLinear make. */
function dequantized(codes: Value): Value[] {
  return [...codes.users.keys()].filter(isDequantize).map((node) => node.output()!);
}

/** Two float models: every computed tensor with a partner, except copies. Sequences, optionals and maps have no elements to subtract. */
function plainPairs(other: Model, matches: ReadonlyMap<Value, Value>): Pair[] {
  const pairs: Pair[] = [];
  const { containers } = valueTypes(other);
  for (const node of other.graph.nodes()) {
    if (isQuantize(node) || isDequantize(node)) continue;
    for (const value of node.outputs) {
      const origin = value && !containers.has(value) && bare(value) === value ? matches.get(value) : undefined;
      if (value && origin) pairs.push({ value, quantizer: undefined, origin, unpaired: undefined });
    }
  }
  return pairs;
}
