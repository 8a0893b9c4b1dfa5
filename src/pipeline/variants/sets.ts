/** Runtimes that pick a file by name, and how each file is made. To add one: a row of `variantSets`. */
import type { SchemeFlags } from '../../settings/options.ts';

export type VariantSettings = Partial<
  Pick<SchemeFlags, 'format' | 'weightType' | 'weightBits' | 'blockSize' | 'symmetric' | 'target' | 'include'>
>;

export interface Variant {
  /** As the runtime's users write it. */
  readonly dtype: string;
  /** Between the model's name and `.onnx`. */
  readonly suffix: string;
  /** Each works on what the one before wrote. */
  readonly steps: readonly VariantSettings[];
}

/** Convolutions too, which the dynamic format takes only when they are named: their users expect the size. */
const dynamic = (weightType: 'u8' | 's8'): VariantSettings => ({ format: 'dynamic', weightType, include: ['/./'] });
const blocks: VariantSettings = { format: 'weight-only', weightBits: 4, blockSize: 32, symmetric: true };
const half: VariantSettings = { format: 'fp16' };

/**
 * transformers.js names its files by dtype, and q8 `_quantized`; the 8-bit ones are dynamic integer operators. Signed weights
 * unless a convolution or fused attention reads them: onnxruntime-web had no signed kernels for those, and its users' browsers
 * may still hold such a version.
 */
function transformersJs(operators: ReadonlySet<string>): readonly Variant[] {
  const unsigned = ['Conv', 'GroupQueryAttention', 'MultiHeadAttention'].some((op) => operators.has(op));
  return [
    { dtype: 'fp16', suffix: '_fp16', steps: [half] },
    { dtype: 'q8', suffix: '_quantized', steps: [dynamic(unsigned ? 'u8' : 's8')] },
    { dtype: 'int8', suffix: '_int8', steps: [dynamic('s8')] },
    { dtype: 'uint8', suffix: '_uint8', steps: [dynamic('u8')] },
    { dtype: 'q4', suffix: '_q4', steps: [blocks] },
    { dtype: 'q4f16', suffix: '_q4f16', steps: [blocks, half] },
  ];
}

export const variantSets = { 'transformers.js': transformersJs } as const satisfies Record<
  string,
  (operators: ReadonlySet<string>) => readonly Variant[]
>;
