/**
 * Why onnxruntime leaves a node between quantizers in float. Its rules, as its CPU provider (1.30) was seen to follow them on models
 * of one node each (test/compare/unfused.test.ts runs them): some operators have an integer kernel of their own, some merely move
 * codes, which is right only where the same scale and zero point stand on both sides, and all others calculate in float.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';

/** Operators with a kernel that calculates on codes of 8 bits. */
const calculating = new Set([
  ...['Conv', 'Gemm', 'MatMul', 'Add', 'Mul', 'Concat', 'Where', 'Softmax', 'Sigmoid', 'LeakyRelu'],
  ...['AveragePool', 'GlobalAveragePool'],
]);

/** Operators whose own kernels run on codes, as these are no more than moved or compared. */
const moving = new Set([
  ...['Reshape', 'Transpose', 'Flatten', 'Squeeze', 'Unsqueeze', 'Slice', 'Gather', 'Expand', 'Tile', 'Split'],
  ...['MaxPool', 'Resize', 'DepthToSpace', 'ReduceMax', 'ReduceMin'],
]);

/** From this version of the operator set on MaxPool takes codes. */
const maxPoolOpset = 12;

/** Whether the node gives the same values when it works on codes: it moves or picks them. */
export function movesExactly(node: Node): boolean {
  if (node.is('Resize')) return node.string('mode', 'nearest') === 'nearest';
  return node.is('ArgMax', 'GatherElements') || (node.domain === '' && moving.has(node.opType));
}

/**
 * @param dequantizers those behind its inputs, `quantizers` those after its outputs
 * @returns undefined for what should have been fused
 */
export function obstacleOf(
  node: Node,
  opset: number,
  dequantizers: readonly Node[],
  quantizers: readonly Node[],
): string | undefined {
  const { opType } = node;
  const both = [...dequantizers, ...quantizers];
  if (both.some((each) => each.constant(1) === undefined)) return 'a scale beside it is computed at run time';
  if (!calculating.has(opType) && !moving.has(opType))
    return opType === 'Pad'
      ? 'onnxruntime pads codes only where the model itself pads them, before DequantizeLinear'
      : `onnxruntime has no int8 ${opType} kernel`;
  const wide = both.find((each) => (each.constant(2)?.type.bits ?? 8) > 8);
  if (wide && (calculating.has(opType) || opType === 'MaxPool'))
    return `its codes have ${wide.constant(2)!.type.bits} bits, and the int8 kernels take 8`;
  if (calculating.has(opType)) return undefined;
  const mode = node.string('mode', 'nearest');
  if (opType === 'Resize' && mode !== 'nearest')
    return `in mode ${mode} it calculates new values, and onnxruntime moves codes in mode nearest alone`;
  if (opType === 'MaxPool' && opset < maxPoolOpset)
    return `MaxPool takes codes from opset ${maxPoolOpset} on, and the model has ${opset}`;
  const [before, after] = [
    dequantizers[0],
    quantizers.find((each) => parametersOf(each) !== parametersOf(dequantizers[0]!)),
  ];
  return before && after
    ? `it moves codes as they are, which needs the same parameters on both sides: ${parametersOf(before)} before it, ${parametersOf(after)} after it`
    : undefined;
}

/** "scale 0.0123, zero point 128" */
function parametersOf(quantizer: Node): string {
  const scale = quantizer.constant(1)!;
  if (scale.floats().length > 1) return `${scale.floats().length} scales`;
  return `scale ${Number(scale.floats()[0]!.toPrecision(6))}, zero point ${quantizer.constant(2)?.ints()[0] ?? 0}`;
}

/** A limiter costs nothing when the quantizer behind it cuts there anyway. */
export function keptLimiter(limiter: Node, limited: Value): string | undefined {
  const [low, high] = limiter.is('Relu')
    ? [0, Infinity]
    : [boundOf(limiter, 1, -Infinity), boundOf(limiter, 2, Infinity)];
  for (const quantizer of limited.users.keys()) {
    const [scale, zeroPoint] = [quantizer.constant(1)?.floats()[0], quantizer.constant(2)];
    if (scale === undefined || zeroPoint === undefined || zeroPoint.type.bits > 16) continue;
    const { bits, name } = zeroPoint.type;
    const least = name.startsWith('u') ? 0 : -(2 ** (bits - 1));
    const zero = Number(zeroPoint.ints()[0]);
    if (limiter.is('Relu')) {
      if (zero !== least)
        return `the zero point after '${limiter.label}' is not the least code, so the Relu cannot be dropped`;
      continue;
    }
    // In float32, as onnxruntime reckons.
    const ends = [Math.fround((least - zero) * scale), Math.fround((least + 2 ** bits - 1 - zero) * scale)] as const;
    if (low > ends[0] || high < ends[1])
      return `'${limiter.label}' cuts at ${low} and ${high}, the codes after it reach from ${short(ends[0])} to ${short(ends[1])}, so it cannot be dropped`;
  }
  return undefined;
}

function boundOf(clip: Node, index: number, otherwise: number): number {
  const input = clip.input(index);
  return input ? Number(input.constant?.floats()[0] ?? NaN) : otherwise;
}

const short = (value: number): number => Number(value.toPrecision(4));
