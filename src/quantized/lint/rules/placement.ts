/**
 * Rules for where quantizers stand and who shares them, and for the model as a whole: its operator set, and the format it is written
 * in.
 */
import type { TargetFormat } from '../../../backends/targets/target.ts';
import type { Node } from '../../../graph/node.ts';
import { specOf } from '../../../ops/index.ts';
import { listed, producerOf, tensorOf, type LintRule } from '../rule.ts';

export const readers: LintRule = {
  id: 'own-quantizers',
  text: ({ encoding }) =>
    ({
      share: undefined,
      'own-dequantizer': 'a DequantizeLinear of its own for every reader of an activation',
      'own-pair': 'a QuantizeLinear and DequantizeLinear of its own for every reader of an activation',
    })[encoding.readers],
  *check({ target, quantizers }) {
    const { readers: wanted } = target.encoding;
    if (wanted === 'share') return;
    for (const quantizer of quantizers.activations) {
      const { node } = quantizer;
      const output = node.output();
      if (!output || output.useCount < 2 || (node.is('QuantizeLinear') && wanted === 'own-dequantizer')) continue;
      yield {
        node: node.label,
        tensor: tensorOf(quantizer),
        message: `${output.useCount} nodes read it`,
        remedy: `quantize again with --target ${target.name}`,
      };
    }
  },
};

export const weightForm: LintRule = {
  id: 'weight-form',
  text: ({ encoding }) =>
    encoding.weights === 'pairs' ? 'weights as float constants behind QuantizeLinear and DequantizeLinear' : undefined,
  *check({ target, quantizers }) {
    if (target.encoding.weights !== 'pairs') return;
    for (const weight of quantizers.weights) {
      if (weight.paired) continue;
      yield {
        node: weight.reader.label,
        tensor: tensorOf(weight),
        message: 'it is stored as codes',
        remedy: `quantize again with --target ${target.name}`,
      };
    }
  },
};

export const placement: LintRule = {
  id: 'placement',
  text: ({ placement: { activations } }) =>
    activations === 'inputs'
      ? 'quantizers only where an int8 operator reads, none behind one that is read in float'
      : undefined,
  *check({ target, quantizers }) {
    if (target.placement.activations !== 'inputs') return;
    for (const quantizer of quantizers.activations) {
      const { node } = quantizer;
      const output = node.output();
      if (!node.is('DequantizeLinear') || !output) continue;
      const producer = producerOf(node.input(0)?.producer?.input(0));
      const weighted = producer !== undefined && specOf(producer)?.weight !== undefined;
      const float = [...output.users.keys()].find((user) => !runsInInt8(user.opType, target.operators));
      if (!weighted || (!output.isOutput && !float)) continue;
      yield {
        node: node.label,
        tensor: tensorOf(quantizer),
        message: `the result of '${producer.label}' is quantized, and ${output.isOutput ? 'is an output of the model' : `'${float!.label}' reads it in float`}`,
        remedy: `quantize again with --target ${target.name}, or --exclude the nodes behind it`,
      };
    }
  },
};

function runsInInt8(opType: string, operators: readonly string[] | undefined): boolean {
  return operators === undefined || operators.includes(opType) || ['QuantizeLinear', 'Relu', 'Clip'].includes(opType);
}

export const operators: LintRule = {
  id: 'operators',
  text: ({ operators: known }) => (known === undefined ? undefined : `in int8 only: ${known.join(', ') || 'nothing'}`),
  *check({ target, quantizers }) {
    if (target.operators === undefined) return;
    for (const node of quantizers.readers) {
      // What reads codes and writes float is left float on purpose.
      const quantized = [...(node.output()?.users.keys() ?? [])].some((user) => user.is('QuantizeLinear'));
      if (!quantized || runsInInt8(node.opType, target.operators)) continue;
      yield {
        node: node.label,
        message: `${node.opType} stands between quantizers`,
        remedy: `--exclude ${node.opType}`,
      };
    }
  },
};

export const opset: LintRule = {
  id: 'opset',
  text: ({ opset: { least, newest } }) => `operator set ${least} to ${newest}`,
  *check({ model, target }) {
    const { least, newest } = target.opset;
    if (model.opset >= least && model.opset <= newest) return;
    yield {
      message: `the model has operator set ${model.opset}`,
      remedy: model.opset < least ? `upgrade it: qdq fuse --opset ${least}` : 'export it with an older operator set',
    };
  },
};

const formatOf = (node: Node): TargetFormat | undefined => {
  if (node.is('QuantizeLinear', 'DequantizeLinear')) return 'qdq';
  if (/^(QLinear|QGemm)/.test(node.opType)) return 'qoperator';
  if (/^(DynamicQuantize|MatMulInteger|ConvInteger|QAttention)/.test(node.opType)) return 'dynamic';
  if (/^(MatMulNBits|GatherBlockQuantized)$/.test(node.opType)) return 'weight-only';
  return undefined;
};

export const format: LintRule = {
  id: 'format',
  text: ({ formats }) => `quantized in the form ${listed(formats)}`,
  *check({ model, target }) {
    const seen = new Set<TargetFormat>();
    for (const node of model.allNodes()) {
      const found = formatOf(node);
      if (!found || seen.has(found) || target.formats.includes(found)) continue;
      // A format that is not there at all may still write a block of weights: one finding names the first node.
      seen.add(found);
      yield {
        node: node.label,
        message: `${node.opType} belongs to the form ${found}`,
        remedy: `use --format ${listed(target.formats)}`,
      };
    }
  },
};
