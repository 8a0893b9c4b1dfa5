/**
 * Constants → integer codes. Weights are symmetric; how the scale of a channel is found is for a weight observer to say.
 *
 * x64 CPUs without VNNI add two neighbouring u8 × s8 products in saturating 16 bits, so 255·|a + b| must stay below 2^15 for
 * neighbouring codes a and b of one sign. Halving every code ('reduced') is the usual cure and costs a whole bit. 'pairs'
 * lowers only the few pairs that break the rule and picks, per channel, the scale with the least squared error: the guarantee
 * is the same for any activations, at a fraction of the loss (pairs.ts).
 */
import type { WeightRange, WeightType } from '../backends/targets/target.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { WeightLayout } from '../ops/op.ts';
import { kernelOrder, limitPairs, widenScale } from './pairs.ts';
import { clamp, codeRange, codes, codesTensor, roundHalfEven } from './quant-params.ts';
import { weightObserverOf, channelGroups, silentGroups } from './weight-observers.ts';

/** How a weight is to be quantized. */
export interface WeightRequest {
  readonly type: WeightType;
  /** Axis with one scale per channel; undefined: one scale for all. */
  readonly axis: number | undefined;
  readonly range: WeightRange;
  /** How the scales are found; default max. */
  readonly observer?: string | undefined;
  /** Order in which the kernel multiplies pairs; undefined: unknown, then 'pairs' falls back to 'reduced'. */
  readonly layout: WeightLayout | undefined;
}

/** The scales of a weight, and which codes go with them. */
export interface WeightScales {
  /** One float32 scale per channel, or one. */
  readonly scales: Float32Array;
  readonly axis: number | undefined;
  readonly type: WeightType;
  /** Zero for signed types, the middle code for unsigned ones: weights are always symmetric around 0. */
  readonly zeroPoint: number;
  readonly qmin: number;
  readonly qmax: number;
  /** Set when neighbouring codes in this order are limited. */
  readonly pairs: WeightLayout | undefined;
  /** Slots whose weights are all 0, or as good as 0: any scale is right for them. */
  readonly silent: ReadonlySet<number>;
}

/** Finds the scales of a constant weight. */
export function weightScales(tensor: Tensor, request: WeightRequest): WeightScales {
  const values = tensor.floats();
  // Only products can saturate.
  const range = request.layout === 'table' ? 'full' : request.range;
  const reduced = range === 'reduced' || (range === 'pairs' && request.layout === undefined);
  const { qmin, qmax } = codeRange(request.type, true, reduced);
  const zeroPoint = request.type.startsWith('u') ? (qmax + 1) / 2 : 0;
  const top = Math.min(qmax - zeroPoint, zeroPoint - qmin);
  const groups = channelGroups(tensor.dims, request.axis);
  const scales = weightObserverOf(request.observer ?? 'max').scales(values, groups, top);
  const pairs = range === 'pairs' ? request.layout : undefined;
  if (pairs) {
    const order = kernelOrder(tensor.dims, pairs);
    for (let slot = 0; slot < scales.length; slot++) {
      const rows = request.axis === undefined ? Array.from({ length: order.channels }, (_, row) => row) : [slot];
      scales[slot] = widenScale(values, order, rows, scales[slot]!, top);
    }
  }
  return {
    scales,
    axis: request.axis,
    type: request.type,
    zeroPoint,
    qmin,
    qmax,
    pairs,
    silent: silentGroups(values, groups, top),
  };
}

/** Quantizes a constant under given scales: half to even of the float32 quotient, as QuantizeLinear does. */
export function quantizeWeights(tensor: Tensor, weight: WeightScales, name: string): Tensor {
  const values = tensor.floats();
  const out = codes(weight.type, values.length);
  const channels = weight.scales.length;
  const inner =
    weight.axis === undefined ? values.length : tensor.dims.slice(weight.axis + 1).reduce((n, d) => n * d, 1);
  for (let start = 0, block = 0; start < values.length; start += inner, block++) {
    const scale = weight.scales[block % channels]!;
    for (let i = start; i < start + inner; i++) {
      const code = roundHalfEven(Math.fround(values[i]! / scale)) + weight.zeroPoint;
      out[i] = clamp(code, weight.qmin, weight.qmax);
    }
  }
  if (weight.pairs) limitPairs(out, kernelOrder(tensor.dims, weight.pairs));
  return codesTensor(name, weight.type, tensor.dims, out);
}
