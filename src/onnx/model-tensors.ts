/**
 * Every tensor of a model, wherever it is: initializers, attributes, bodies of If and Loop, functions, training
 * graphs.
 */
import type { AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto } from './messages.ts';

export interface ModelTensor {
  readonly proto: TensorProto;
  /** A dense initializer: the only place where runtimes are sure to accept external data. */
  readonly isInitializer: boolean;
}

export function* modelTensors(model: ModelProto): Generator<ModelTensor> {
  yield* graphTensors(model.graph);
  for (const { node, attributeProto } of model.functions ?? []) {
    yield* nodeTensors(node);
    yield* attributeTensors(attributeProto);
  }
  for (const { initialization, algorithm } of model.trainingInfo ?? []) {
    yield* graphTensors(initialization);
    yield* graphTensors(algorithm);
  }
}

function* graphTensors(graph: GraphProto | undefined): Generator<ModelTensor> {
  for (const proto of graph?.initializer ?? []) yield { proto, isInitializer: true };
  for (const sparse of graph?.sparseInitializer ?? []) yield* sparseTensors(sparse);
  yield* nodeTensors(graph?.node);
}

function* nodeTensors(nodes: readonly NodeProto[] = []): Generator<ModelTensor> {
  for (const { attribute } of nodes) yield* attributeTensors(attribute);
}

function* attributeTensors(attributes: readonly AttributeProto[] = []): Generator<ModelTensor> {
  for (const { t, tensors = [], sparseTensor, sparseTensors: sparse = [], g, graphs = [] } of attributes) {
    for (const proto of t ? [t, ...tensors] : tensors) yield { proto, isInitializer: false };
    for (const each of sparseTensor ? [sparseTensor, ...sparse] : sparse) yield* sparseTensors(each);
    for (const graph of g ? [g, ...graphs] : graphs) yield* graphTensors(graph);
  }
}

function* sparseTensors({ values, indices }: SparseTensorProto): Generator<ModelTensor> {
  if (values) yield { proto: values, isInitializer: false };
  if (indices) yield { proto: indices, isInitializer: false };
}
