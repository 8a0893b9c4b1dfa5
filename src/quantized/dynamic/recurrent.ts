/**
 * Recurrent operators in dynamic quantization:
 *
 *   LSTM      → com.microsoft DynamicQuantizeLSTM: the products with W and R in int8, their inputs quantized at every step, gates and
 *               states in float
 *   GRU, RNN  have no integer kernel: opened to a Scan, their products have
 */
import { replaceNode } from '../../graph/rewrite.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { cannotOpen } from '../../ops/recurrent.ts';
import { openRecurrent } from '../../quantizable/recurrent.ts';
import type { NodeRule } from '../node-rules.ts';
import { codes } from '../quant-params.ts';
import { quantizeWeights, weightScales } from '../weights.ts';
import type { DynamicSettings } from './chain.ts';
import { matmul } from './rules.ts';

/**
 * Hidden units from which the opened form is faster. Measured over 1 and 50 steps on AVX512-VNNI: 128 units 0.4 - 0.8 times as
 * fast, 512 units 1.0 - 2.1 times (GRU) and more (RNN).
 */
const worthwhile = 256;

/** GRU and RNN are opened, and their products with W and R quantized. */
export const recurrent: NodeRule<DynamicSettings> = {
  types: ['GRU', 'RNN'],
  weights: [1, 2],
  optional(node) {
    const hidden = node.constant(2)!.dims[2]!;
    return hidden < worthwhile
      ? `with ${hidden} units its steps are bound by overhead, and opened up it would be slower (--include asks for it)`
      : undefined;
  },
  refuse: cannotOpen,
  emit(node, writer) {
    for (const product of openRecurrent(node)) matmul.emit(product, writer);
  },
};

/** The kernel wants the weights as [directions, reduction, 4 · hidden], the transpose of the operator's. */
export const lstm: NodeRule<DynamicSettings> = {
  types: ['LSTM'],
  weights: [1, 2],
  refuse: (node) => (node.int('layout', 0) === 0 ? undefined : 'its tensors are batch first (layout = 1)'),
  emit(node, writer) {
    const { scheme } = writer.settings;
    const quantized = [1, 2].map((index) => {
      const weight = node.input(index)!;
      return writer.constants(weight, ['quantized', 'scale', 'zero_point'], () => {
        const tensor = weight.constant!;
        const [directions, gates, reduction] = tensor.dims as [number, number, number];
        // The rows of a matrix [directions · gates, reduction]: one scale per row, or one per direction.
        const parts = partsOf(tensor, scheme.perChannel ? 1 : directions);
        const axis = scheme.perChannel ? 0 : undefined;
        const type = scheme.weightType;
        const made = parts.map((part) => {
          const how = weightScales(part, { type, axis, range: scheme.weightRange, layout: 'rows' });
          return { how, quantized: quantizeWeights(part, how, weight.name).data() as Int8Array | Uint8Array };
        });
        const dims = scheme.perChannel ? [directions, gates] : [directions];
        const scales = Float32Array.from(made.flatMap(({ how }) => [...how.scales]));
        const zeros = codes(type, scales.length).fill(made[0]!.how.zeroPoint);
        const rows = made.map(({ quantized: part }) => part);
        return [
          { type, dims: [directions, reduction, gates], data: transposed(rows, directions, gates, reduction) },
          { type: 'float32', dims, data: scales },
          { type, dims, data: zeros },
        ];
      });
    });
    const [w, r] = quantized as [(typeof quantized)[0], (typeof quantized)[0]];
    const rest = Array.from({ length: 5 }, (_, i) => node.input(3 + i) ?? null);
    const replacement = node.graph!.makeNode(
      'DynamicQuantizeLSTM',
      [node.input(0)!, w[0]!, r[0]!, ...rest, w[1]!, w[2]!, r[1]!, r[2]!],
      { name: node.name, domain: 'com.microsoft', outputs: [] },
    );
    for (const [name, attribute] of node.attributes) {
      if (name !== 'layout') replacement.attributes.set(name, attribute);
    }
    replaceNode(node, replacement);
  },
};

/** Cuts [directions, gates, reduction] into `count` matrices whose rows lie one under the other. */
function partsOf(tensor: Tensor, count: number): Tensor[] {
  const [directions, gates, reduction] = tensor.dims as [number, number, number];
  const dims = [(directions * gates) / count, reduction];
  const size = tensor.size / count;
  const values = tensor.floats();
  return Array.from({ length: count }, (_, i) =>
    Tensor.of(tensor.name, 'float32', dims, values.slice(i * size, (i + 1) * size)),
  );
}

/** The rows of all parts as [directions, reduction, gates]. */
function transposed(
  parts: readonly (Int8Array | Uint8Array)[],
  directions: number,
  gates: number,
  reduction: number,
): Int8Array | Uint8Array {
  const to =
    parts[0] instanceof Int8Array
      ? new Int8Array(directions * gates * reduction)
      : new Uint8Array(directions * gates * reduction);
  let from = 0;
  for (const part of parts) {
    for (const code of part) {
      const [row, k] = [Math.floor(from / reduction), from % reduction];
      to[Math.floor(row / gates) * gates * reduction + k * gates + (row % gates)] = code;
      from++;
    }
  }
  return to;
}
