/**
 * Weights of four bits or fewer stored as such: INT4 or UINT4 constants behind a Cast to the eight bits that integer kernels read.
 * onnxruntime folds the Cast when it loads the model, so that the kernels and the results are those of 8-bit storage; the file is
 * what shrinks.
 */
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import { dataType, type DataTypeName } from '../onnx/data-types.ts';
import { codesTensor } from '../quantized/quant-params.ts';

/** INT4 and UINT4 exist, and Cast takes them, from here on. */
export const leastInt4Opset = 21;

const narrow: Partial<
  Record<DataTypeName, { readonly type: 'int4' | 'uint4'; readonly min: number; readonly max: number }>
> = {
  int8: { type: 'int4', min: -8, max: 7 },
  uint8: { type: 'uint4', min: 0, max: 15 },
};

/** What was stored. */
export interface StoredFour {
  /** Constants that are stored in four bits now. */
  readonly stored: number;
  /** Constants with codes beyond four bits, by name. */
  readonly wider: readonly string[];
}

/**
 * Rewrites in place the constants that a DequantizeLinear reads as int8 or uint8.
 * @param only those; default all
 */
export function storeFourBits(model: Model, only?: ReadonlySet<Value>): StoredFour {
  const found = new Set<Value>();
  for (const node of model.allNodes()) {
    const codes = node.is('DequantizeLinear') ? node.input(0) : undefined;
    if (only && !only.has(codes!)) continue;
    if (codes?.isConstant && narrow[codes.constant!.type.name]) found.add(codes);
  }
  const wider: string[] = [];
  for (const value of found) {
    const { constant, graph } = value;
    const { type, min, max } = narrow[constant!.type.name]!;
    const codes = constant!.data() as Int8Array | Uint8Array;
    if (codes.some((code) => code < min || code > max)) {
      wider.push(value.name);
      continue;
    }
    const stored = graph.addInitializer(codesTensor(`${value.name}_${type}`, type, constant!.dims, codes));
    const cast = graph.makeNode('Cast', [stored], { name: `${value.name}_Cast` });
    cast.setInt('to', dataType(constant!.type.name).code);
    graph.prepend(cast);
    graph.replaceUses(value, cast.output()!);
    graph.removeValue(value);
  }
  return { stored: found.size - wider.length, wider };
}
