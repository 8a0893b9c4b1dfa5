/** Activations: Relu and Clip vanish into the quantizer of the node before them where they can; the others have kernels. */
import type { Node } from '../graph/node.ts';
import { follow, island, type Interval, type OpSpec } from './op.ts';

export const relu: OpSpec = {
  types: ['Relu'],
  quantize: () => follow({ kind: 'observe' }, [0]),
  clamp: () => ({ min: 0, max: Infinity }),
};

export const clip: OpSpec = {
  types: ['Clip'],
  quantize: (node) => (clipInterval(node) ? follow({ kind: 'observe' }, [0]) : 'its limits are computed at run time'),
  clamp: clipInterval,
};

/** Limits were attributes before opset 11 and are inputs since. */
function clipInterval(node: Node): Interval | undefined {
  const limit = (index: number, name: string, fallback: number): number | undefined => {
    if (!node.input(index)) return node.float(name, fallback);
    return node.constant(index)?.floats()[0];
  };
  const min = limit(1, 'min', -Infinity);
  const max = limit(2, 'max', Infinity);
  return min === undefined || max === undefined ? undefined : { min, max };
}

export const leakyRelu: OpSpec = {
  types: ['LeakyRelu'],
  quantize: () => follow({ kind: 'observe' }, [0]),
};

const unit: Interval = { min: 0, max: 1 };

/** Their values fill 0..1 whatever the data: the scale is 1/255 of that, as in every other tool. */
export const unitInterval: OpSpec = {
  types: ['Sigmoid', 'Softmax'],
  quantize: () => follow({ kind: 'fixed', range: unit }, [0]),
};

/** onnxruntime has no int8 kernel for them. */
export const hardActivation: OpSpec = {
  types: ['HardSigmoid', 'HardSwish', 'Tanh', 'PRelu'],
  quantize(node) {
    const range = { HardSigmoid: unit, Tanh: { min: -1, max: 1 } }[node.opType];
    return island(node, range ? { kind: 'fixed', range } : { kind: 'observe' }, [0]);
  },
};
