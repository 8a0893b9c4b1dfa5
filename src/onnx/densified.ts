/**
 * Constants that a file stores sparse, as dense ones: what onnxruntime itself makes of them on loading. Their elements are put in
 * their places when they are read.
 */
import { onnxErrors } from '../errors/onnx.ts';
import { FillingSource } from './bytes.ts';
import { dataType, elementCount } from './data-types.ts';
import {
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type SparseTensorProto,
  type TensorProto,
  attributeTypes,
} from './messages.ts';
import { Tensor } from './tensor.ts';

/** The very model when nothing in it is sparse. @param dir folder of the model, for external data */
export function densified(model: ModelProto, dir: string | undefined): ModelProto {
  const graph = model.graph && denseGraph(model.graph, dir);
  const functions = mapped(model.functions, (each) => {
    const node = denseNodes(each.node, dir);
    return node === each.node ? each : { ...each, node: node! };
  });
  if (graph === model.graph && functions === model.functions) return model;
  return { ...model, ...(graph && { graph }), ...(functions && { functions }) };
}

function denseGraph(graph: GraphProto, dir: string | undefined): GraphProto {
  const node = denseNodes(graph.node, dir);
  const sparse = graph.sparseInitializer ?? [];
  if (node === graph.node && sparse.length === 0) return graph;
  const { sparseInitializer: _, ...rest } = graph;
  const initializer = [...(graph.initializer ?? []), ...sparse.map((each) => dense(each, dir))];
  return { ...rest, ...(node && { node }), ...(initializer.length > 0 && { initializer }) };
}

function denseNodes(nodes: readonly NodeProto[] | undefined, dir: string | undefined): NodeProto[] | undefined {
  return mapped(nodes, (node) => {
    const attribute = mapped(node.attribute, (each) => denseAttribute(each, dir));
    return attribute === node.attribute ? node : { ...node, attribute: attribute! };
  });
}

function denseAttribute(attribute: AttributeProto, dir: string | undefined): AttributeProto {
  const { sparseTensor, g, graphs, name } = attribute;
  // Only Constant has one, and may hold a dense tensor under another name just as well.
  if (sparseTensor && name === 'sparse_value') {
    const { sparseTensor: _, ...rest } = attribute;
    return { ...rest, name: 'value', type: attributeTypes.tensor, t: dense(sparseTensor, dir) };
  }
  const body = g && denseGraph(g, dir);
  const bodies = mapped(graphs, (each) => denseGraph(each, dir));
  if (body === g && bodies === graphs) return attribute;
  return { ...attribute, ...(body && { g: body }), ...(bodies && { graphs: bodies }) };
}

/** The list itself when nothing in it changed. */
function mapped<T>(list: readonly T[] | undefined, change: (item: T) => T): T[] | undefined {
  const changed = list?.map(change);
  return changed?.some((item, index) => item !== list![index]) ? changed : (list as T[] | undefined);
}

function dense({ values, indices, dims: given }: SparseTensorProto, dir: string | undefined): TensorProto {
  const tensor = Tensor.fromProto(values ?? {}, dir);
  const { name, type } = tensor;
  const dims = (given ?? []).map(Number);
  const places = placesOf(name, Tensor.fromProto(indices ?? {}, dir), dims, tensor.size);
  if (type.bits < 8) throw onnxErrors.sparse(name, `elements of type ${type.name} are not read`);
  return Tensor.lazy(name, type.name, dims, new DenseBytes(tensor, places, elementCount(dims))).toProto();
}

/** Where each of the elements goes: linear positions, or one row of coordinates each. */
function placesOf(name: string, indices: Tensor, dims: readonly number[], count: number): Float64Array {
  const numbers = indices.ints();
  const linear = indices.dims.length < 2;
  if (numbers.length !== count * (linear ? 1 : dims.length)) {
    throw onnxErrors.sparse(name, `${count} elements have ${numbers.length} indices`);
  }
  const places = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const row = linear ? undefined : numbers.slice(i * dims.length, (i + 1) * dims.length);
    if (row?.some((at, axis) => at < 0 || at >= dims[axis]!))
      throw onnxErrors.sparse(name, `[${row}] is outside [${dims}]`);
    places[i] = row ? row.reduce((sum, at, axis) => sum * dims[axis]! + at, 0) : numbers[i]!;
  }
  const size = elementCount(dims);
  const outside = places.find((place) => place < 0 || place >= size);
  if (outside !== undefined) throw onnxErrors.sparse(name, `index ${outside} is outside [${dims}]`);
  return places;
}

class DenseBytes extends FillingSource {
  readonly byteLength: number;
  readonly #values: Tensor;
  readonly #places: Float64Array;

  constructor(values: Tensor, places: Float64Array, size: number) {
    super();
    this.#values = values;
    this.#places = places;
    this.byteLength = size * (dataType(values.type.name).bits / 8);
  }

  readInto(offset: number, target: Uint8Array): void {
    target.fill(0);
    const data = this.#values.data();
    const width = data.BYTES_PER_ELEMENT;
    const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    this.#places.forEach((place, index) => {
      const at = place * width - offset;
      if (at <= -width || at >= target.length) return;
      // A piece may begin or end inside an element.
      for (let k = Math.max(0, -at); k < width && at + k < target.length; k++)
        target[at + k] = bytes[index * width + k]!;
    });
  }
}
