/** Activations: Relu and Clip vanish into the quantizer of the node before them where they can; the others have kernels. */
import type { Node } from '../graph/node.ts';
import { follow, type Interval, type OpSpec } from './op.ts';

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

/** onnxruntime has no int8 kernel for them: they run in float between DequantizeLinear and QuantizeLinear. */
export const hardActivation: OpSpec = {
  types: ['HardSigmoid', 'HardSwish'],
  quantize(node) {
    const layer = node.input(0)?.producer;
    // A convolution writes codes in any case: then what follows can stay in int8. Measured: 5 to 7 % in squeeze-excite
    // blocks, and no loss where nothing follows.
    if (layer?.is('Gemm', 'MatMul')) {
      return `onnxruntime has no int8 ${node.opType} kernel, and '${layer.label}' can write float`;
    }
    return follow(node.opType === 'HardSwish' ? { kind: 'observe' } : { kind: 'fixed', range: unit }, [0]);
  },
};
