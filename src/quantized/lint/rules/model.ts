/** What concerns the model as a whole: its operator set, and the form it is written in. */
import type { TargetFormat } from '../../../backends/targets/target.ts';
import type { Node } from '../../../graph/node.ts';
import { listed, type LintRule } from '../rule.ts';

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
    const told = new Set<TargetFormat>();
    for (const node of model.allNodes()) {
      const found = formatOf(node);
      if (!found || told.has(found) || target.formats.includes(found)) continue;
      // A format that is not there at all may still spell a block of weights: one finding names the first node.
      told.add(found);
      yield {
        node: node.label,
        message: `${node.opType} belongs to the form ${found}`,
        remedy: `use --format ${listed(target.formats)}`,
      };
    }
  },
};
