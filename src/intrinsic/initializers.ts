/** Every constant becomes an initializer that no caller can override. */
import type { Node } from '../graph/node.ts';
import { dataType, type DataTypeName, type TypedArray } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { makeConstant } from './edit.ts';
import { rulePass, type Pass } from './pass.ts';

/**
 * Files of IR 3, and many later ones, list every weight among the graph inputs as well, which makes it a default that a
 * caller may override. Nobody overrides a weight: the entry among the inputs is dropped and the weight becomes a
 * constant.
 */
export const constantInputs: Pass = {
  name: 'constant-inputs',
  summary: 'weights that are also listed as model inputs become constants',
  run({ graph }, context) {
    const defaults = graph.inputs.filter((value) => value.initializer !== undefined);
    if (defaults.length === 0) return false;
    const feeds = graph.inputs.filter((value) => value.initializer === undefined);
    graph.inputs.length = 0;
    for (const value of feeds) graph.inputs.push(value);
    for (const value of defaults) {
      value.isInput = false;
      if (!value.isOutput) value.info = undefined;
    }
    context.applied(defaults.map((value) => value.name));
    return true;
  },
};

/** Constant nodes become initializers, the one form of constant that later passes and the quantizer look for. */
export const constantNodes = rulePass('constant-nodes', 'Constant nodes become initializers', (node) => {
  const value = node.output();
  if (!node.is('Constant') || !value) return undefined;
  const content = contentOf(node, value.name);
  return { nodes: [node], apply: () => (typeof content === 'string' ? content : makeConstant(value, content)) };
});

/**
 * The tensor, or the reason why there is none. Scalar and list attributes: Constant-12 of the operator specification.
 */
function contentOf(node: Node, name: string): Tensor | string {
  const [[key, attribute] = ['', undefined]] = node.attributes;
  switch (attribute?.kind) {
    case 'tensor':
      return attribute.value;
    case 'float':
      return numeric(name, 'float32', [], Float32Array.of(attribute.value));
    case 'floats':
      return numeric(name, 'float32', [attribute.value.length], Float32Array.from(attribute.value));
    case 'int':
      return numeric(name, 'int64', [], BigInt64Array.of(BigInt(attribute.value)));
    case 'ints':
      return numeric(name, 'int64', [attribute.value.length], BigInt64Array.from(attribute.value, BigInt));
    case 'string':
      return text(name, [], [attribute.value]);
    case 'strings':
      return text(name, [attribute.value.length], attribute.value);
    default:
      return key === 'sparse_value' ? 'its value is a sparse tensor' : 'it has no value that qdq can read';
  }
}

function numeric(name: string, type: DataTypeName, dims: number[], data: TypedArray): Tensor {
  return Tensor.of(name, type, dims, data);
}

function text(name: string, dims: number[], stringData: readonly Uint8Array[]): Tensor {
  return Tensor.fromProto({ name, dims, dataType: dataType('string').code, stringData: [...stringData] });
}
