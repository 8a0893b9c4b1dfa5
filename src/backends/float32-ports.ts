/**
 * A session whose float16 inputs and outputs are spoken to in float32: a model converted to float16, ports and all, is fed and
 * judged like the float model that it was made from.
 */
import type { InputInfo } from '../data/sample.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import { float16ToFloat32, float32ToFloat16, fromFloat32, toFloat32 } from '../onnx/float16.ts';
import type { Session } from './session.ts';

/** The session itself when it has no float16 ports. */
export function withFloat32Ports(session: Session): Session {
  const isHalf = ({ type }: InputInfo): boolean => type === 'float16';
  const widened = (info: InputInfo): InputInfo => (isHalf(info) ? { ...info, type: 'float32' } : info);
  if (!session.inputs.some(isHalf) && !session.outputs.some(isHalf)) return session;
  return {
    inputs: session.inputs.map(widened),
    outputs: session.outputs.map(widened),
    async run(feeds, fetch) {
      const results = await session.run(narrowedFor(session, feeds), fetch);
      return Object.fromEntries(
        Object.entries(results).map(([name, value]) => [name, value.type === 'float16' ? widenedValue(value) : value]),
      );
    },
    dispose: () => session.dispose(),
  };
}

/** Float32 feeds as the session takes them. */
export function narrowedFor(
  { inputs }: Session,
  feeds: Readonly<Record<string, TensorValue>>,
): Record<string, TensorValue> {
  const halves = new Set(inputs.filter(({ type }) => type === 'float16').map(({ name }) => name));
  const narrow = ([name, value]: [string, TensorValue]): [string, TensorValue] =>
    halves.has(name) && value.type === 'float32' ? [name, narrowed(value)] : [name, value];
  return Object.fromEntries(Object.entries(feeds).map(narrow));
}

function narrowed({ dims, data }: TensorValue): TensorValue {
  return { type: 'float16', dims, data: fromFloat32(data as Float32Array, float32ToFloat16) };
}

/** onnxruntime-node hands out float16 as its bits, or where the host has one as a Float16Array. */
function widenedValue({ dims, data }: TensorValue): TensorValue {
  const bits =
    data instanceof Uint16Array ? data : new Uint16Array(data.buffer as ArrayBuffer, data.byteOffset, data.length);
  return { type: 'float32', dims, data: toFloat32(bits, float16ToFloat32) };
}
