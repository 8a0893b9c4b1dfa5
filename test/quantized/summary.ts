/** A quantized model as text, for golden files: one line per node, constants by type, shape and parameters. */
import type { Model } from '../../src/graph/model.ts';
import type { Value } from '../../src/graph/value.ts';

export function summaryOf(model: Model): string {
  const lines = [...model.graph.nodes()].map((node) => {
    const attributes = node.is('QuantizeLinear', 'DequantizeLinear') ? axisOf(node.input(1), node.int('axis', 1)) : '';
    return `${node.opType}${attributes}(${node.inputs.map(operand).join(', ')}) -> ${node.outputs.map((value) => value?.name ?? '').join(', ')}`;
  });
  return [
    `opset ${model.opset}`,
    ...lines,
    `outputs ${model.graph.outputs.map(({ name }) => name).join(', ')}`,
    '',
  ].join('\n');
}

const axisOf = (scale: Value | null | undefined, axis: number): string =>
  (scale?.constant?.size ?? 1) > 1 ? `[axis ${axis}]` : '';

/** Scalars with their value: the parameters are what targets differ in. */
function operand(value: Value | null): string {
  const tensor = value?.constant;
  if (!value || !tensor) return value?.name ?? '-';
  const { name } = tensor.type;
  if (tensor.dims.length > 0) return `${name}[${tensor.dims.join('x')}]`;
  const [number] = name === 'float32' ? tensor.floats() : tensor.ints();
  return `${name} ${name === 'float32' ? Number(number!.toPrecision(6)) : number}`;
}
