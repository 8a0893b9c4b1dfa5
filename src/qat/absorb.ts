/** Relu and Clip before a quantizer whose codes cannot leave their limits anyway: integer kernels need none. */
import type { Node } from '../graph/node.ts';
import { bypass } from '../graph/rewrite.ts';
import { specOf } from '../ops/index.ts';
import type { FakeQuant } from './fake-quant.ts';

/** Removes the limiting activations before a quantizer whose codes cannot leave the limits anyway. Returns how many. */
export function absorbClamps(fake: FakeQuant): number {
  const scale = fake.scale.constant?.floats();
  const zero = fake.zeroPoint?.constant?.ints()[0] ?? 0;
  if (scale?.length !== 1) return 0;
  const [low, high] = [fake.limits.qmin, fake.limits.qmax].map((code) => (code - zero) * scale[0]!) as [number, number];
  const slack = scale[0]! / 2;
  let absorbed = 0;
  for (let value = fake.quantize.input(0)!; ; value = fake.quantize.input(0)!) {
    const clampNode = value.producer;
    const limits = clampNode && specOf(clampNode)?.clamp?.(clampNode);
    if (!limits || value.soleUser !== fake.quantize || !isLayer(clampNode)) return absorbed;
    if (low < limits.min - slack || high > limits.max + slack) return absorbed;
    const limited = clampNode.input(0)!;
    // What was quantized keeps its name.
    clampNode.graph!.swapNames(value, limited);
    bypass(clampNode, limited);
    absorbed++;
  }
}

/** Whether what it limits is computed in integers: behind a layer with its operands in codes, perhaps through other limits. */
function isLayer(clampNode: Node): boolean {
  const before = clampNode.input(0);
  const producer = before?.producer;
  if (!producer || before.soleUser !== clampNode) return false;
  if (specOf(producer)?.clamp) return isLayer(producer);
  return producer.inputs[0]?.producer?.is('DequantizeLinear') === true;
}
