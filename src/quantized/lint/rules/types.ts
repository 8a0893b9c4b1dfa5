/** Which integers, and where their zero is. */
import { listed, short, type Breach, type LintRule, tensorOf } from '../rule.ts';

export const activationType: LintRule = {
  id: 'activation-type',
  text: ({ activationTypes }) =>
    activationTypes.length === 0 ? 'no integer activations' : `activations in ${listed(activationTypes.map(short))}`,
  *check({ target, quantizers }) {
    for (const quantizer of quantizers.activations) {
      const { node, type } = quantizer;
      if (type === undefined || (target.activationTypes as readonly string[]).includes(type)) continue;
      yield {
        node: node.label,
        tensor: tensorOf(quantizer),
        message: `its codes are ${short(type)}`,
        remedy:
          target.activationTypes.length === 0
            ? `use --format ${listed(target.formats)}`
            : `use --activation-type ${listed(target.activationTypes.map(short))}`,
      };
    }
  },
};

export const activationSymmetry: LintRule = {
  id: 'activation-symmetry',
  text: ({ symmetricActivations }) => (symmetricActivations ? 'the zero point of every activation is 0' : undefined),
  *check({ target, quantizers }): Generator<Breach> {
    if (!target.symmetricActivations) return;
    for (const quantizer of quantizers.activations) {
      const { node, zeroPoint } = quantizer;
      const zero = zeroPoint?.ints().find((code) => code !== 0);
      if (zero === undefined) continue;
      yield {
        node: node.label,
        tensor: tensorOf(quantizer),
        message: `its zero point is ${zero}`,
        remedy: 'use --symmetric (the default of this target)',
      };
    }
  },
};

export const weightType: LintRule = {
  id: 'weight-type',
  text: ({ weightTypes }) =>
    weightTypes.length === 0 ? 'no integer weights' : `weights in ${listed(weightTypes.map(short))}`,
  *check({ target, quantizers }) {
    for (const weight of quantizers.weights) {
      const { reader, type } = weight;
      if (type === undefined || (target.weightTypes as readonly string[]).includes(type)) continue;
      yield {
        node: reader.label,
        tensor: tensorOf(weight),
        message: `its codes are ${short(type)}`,
        remedy: `use --weight-type ${listed(target.weightTypes.map(short))}`,
      };
    }
  },
};

export const weightSymmetry: LintRule = {
  id: 'weight-symmetry',
  text: () => 'the zero point of signed weights is 0',
  *check({ quantizers }) {
    for (const weight of quantizers.weights) {
      const zero = weight.type?.startsWith('int') ? weight.zeroPoint?.ints().find((code) => code !== 0) : undefined;
      if (zero === undefined) continue;
      yield {
        node: weight.reader.label,
        tensor: tensorOf(weight),
        message: `its zero point is ${zero}`,
        remedy: 'quantize the weights symmetrically, as qdq does',
      };
    }
  },
};

export const perChannel: LintRule = {
  id: 'per-channel',
  text: ({ perChannel: operators, perChannelTypes }) => {
    const types = perChannelTypes.length === 0 ? 'no' : listed(perChannelTypes.map(short));
    const where = operators === undefined ? '' : ` of ${listed(operators, 'and')}`;
    return `one scale per channel for ${types} weights${where} only`;
  },
  *check({ target, quantizers }) {
    for (const weight of quantizers.weights) {
      const { reader, scale, type } = weight;
      if (scale === undefined || scale.size === 1) continue;
      const wrongType = type !== undefined && !(target.perChannelTypes as readonly string[]).includes(type);
      const wrongOperator = target.perChannel !== undefined && !target.perChannel.includes(reader.opType);
      if (!wrongType && !wrongOperator) continue;
      yield {
        node: reader.label,
        tensor: tensorOf(weight),
        message: `it has ${scale.size} scales${wrongOperator ? `, and ${reader.opType} takes one` : ` of ${short(type!)} codes`}`,
        remedy: `quantize again with --target ${target.name}, or with --per-tensor`,
      };
    }
  },
};
