/** Codes of a matrix the other way round: stored so, or as a Transpose that runtimes compute once, when they load the model. */
import { copyModel } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { makeConstant } from '../intrinsic/edit.ts';
import { Tensor } from '../onnx/tensor.ts';
import type { Constant } from './node-rules.ts';

/** The transposed codes of a matrix [N, K], for kernels that want [K, N]. */
export function turned(tensor: Tensor): Constant {
  const [rows, cols] = tensor.dims as [number, number];
  const from = tensor.data() as Int8Array;
  const to = from.slice();
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) to[c * rows + r] = from[r * cols + c]!;
  return { type: tensor.type.name, dims: [cols, rows], data: to };
}

/** The model as kernels see it, where it holds stored codes behind a Transpose; the given one is left as it is. */
export function asLoaded(model: Model): Model {
  if (![...model.allNodes()].some(turnsCodes)) return model;
  const loaded = copyModel(model);
  for (const node of [...loaded.allNodes()]) {
    if (!turnsCodes(node)) continue;
    const output = node.output()!;
    const { type, dims, data } = turned(node.constant(0)!);
    makeConstant(output, Tensor.of(output.name, type, dims, data as Int8Array));
  }
  return loaded;
}

function turnsCodes(node: Node): boolean {
  const codes = node.is('Transpose') ? node.constant(0) : undefined;
  const [first = 1] = node.ints('perm') ?? [];
  const matrix = codes?.dims.length === 2 && codes.type.name.endsWith('int8');
  return matrix && first === 1 && !node.output()!.isOutput;
}
