/**
 * Factors of a Gemm go into its constants: alpha into the weight, beta into the bias, in float64, rounded once; and a bias that is
 * broadcast is written out, one value per column. Integer kernels, and what multiplies weights in blocks, know neither factors nor
 * other shapes.
 */
import type { Node } from '../graph/node.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { doubles, fits, isFloatType, roundTo, setConstant, type Content } from './edit.ts';
import type { Pass } from './pass.ts';

export const gemmConstants: Pass = {
  name: 'gemm-constants',
  summary: 'alpha and beta of a Gemm are multiplied into its constants, and its bias gets one value per column',
  run(model, { applied, refused }) {
    let changed = false;
    for (const node of model.allNodes()) {
      if (!node.is('Gemm') || model.opset < 7) continue;
      const results = [foldAlpha(node), foldBias(node)];
      for (const result of results) if (typeof result === 'string') refused(node.label, result);
      if (!results.includes(true)) continue;
      applied([node.label], node.label);
      changed = true;
    }
    return changed;
  },
};

/** True when something was changed; else the reason why it was not, or undefined: there was nothing to do. */
type Outcome = true | string | undefined;

function foldAlpha(node: Node): Outcome {
  const weight = node.constant(1);
  const alpha = Math.fround(node.float('alpha', 1));
  if (alpha === 1 || !weight) return undefined;
  const content = scaled(weight, weight.dims, doubles(weight), alpha);
  if (typeof content === 'string') return content;
  setConstant(node, 1, content, weight.name);
  node.attributes.delete('alpha');
  return true;
}

function foldBias(node: Node): Outcome {
  const [weight, bias] = [node.constant(1), node.constant(2)];
  const beta = Math.fround(node.float('beta', 1));
  if (!bias || !weight) return undefined;
  const columns = weight.dims[node.int('transB', 0) === 0 ? 1 : 0]!;
  const row = rowOf(bias, columns);
  const asItShould = row === undefined || (bias.dims.length === 1 && bias.dims[0] === columns);
  if (beta === 1 && asItShould) return undefined;
  const content = row ? scaled(bias, [columns], row, beta) : scaled(bias, bias.dims, doubles(bias), beta);
  if (typeof content === 'string') return content;
  setConstant(node, 2, content, bias.name);
  node.attributes.delete('beta');
  return true;
}

/** The one row of which a broadcast bias consists; undefined when its rows differ. */
function rowOf(bias: Tensor, columns: number): Float64Array | undefined {
  const width = bias.dims.at(-1) ?? 1;
  const rows = bias.size / width;
  const values = doubles(bias);
  for (let i = width; i < rows * width; i++) if (!Object.is(values[i], values[i % width])) return undefined;
  return width === columns ? values.slice(0, width) : new Float64Array(columns).fill(values[0]!);
}

function scaled(from: Tensor, dims: readonly number[], values: Float64Array, factor: number): Content | string {
  const type = from.type.name;
  if (!isFloatType(type)) return `its constant '${from.name}' is ${type}`;
  const data = roundTo(
    type,
    values.map((value) => value * factor),
  );
  return fits(data, type) ? { type, dims, data } : `'${from.name}' times ${factor} does not fit ${type}`;
}
