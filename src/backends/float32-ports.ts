/**
 * A session whose float16 inputs and outputs are spoken to in float32: a model converted to float16, ports and all, is fed and
 * judged like the float model that it was made from.
 */
import { convert } from '../data/convert.ts';
import type { InputInfo } from '../data/sample.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import { float16ToFloat32, toFloat32 } from '../onnx/narrow-types.ts';
import type { Session } from './session.ts';

/** The session itself when it has no float16 ports. */
export function withFloat32Ports(session: Session): Session {
  const isHalf = ({ type }: InputInfo): boolean => type === 'float16';
  const widened = (info: InputInfo): InputInfo => (isHalf(info) ? { ...info, type: 'float32' } : info);
  const isDouble = ({ type }: InputInfo): boolean => type === 'float64';
  if (![...session.inputs, ...session.outputs].some((port) => isHalf(port) || isDouble(port))) {
    // A feed of another float type is the exception, and costs a look at each otherwise.
    return { ...session, run: (feeds, fetch, into) => session.run(narrowedFor(session, feeds), fetch, into) };
  }
  return {
    ...session,
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

/** Feeds of one float type as the session takes them: two models compared may want different ones. */
export function narrowedFor(
  { inputs }: Session,
  feeds: Readonly<Record<string, TensorValue>>,
): Record<string, TensorValue> {
  const types = new Map(inputs.map(({ name, type }) => [name, type]));
  const fitted = ([name, value]: [string, TensorValue]): [string, TensorValue] => {
    const type = types.get(name);
    if (type === undefined || type === value.type || !floats.has(type) || !floats.has(value.type)) return [name, value];
    return [name, { type, dims: value.dims, data: convert(value.data, value.type, type) }];
  };
  return Object.fromEntries(Object.entries(feeds).map(fitted));
}

const floats: ReadonlySet<string> = new Set(['float16', 'float32', 'float64']);

/** onnxruntime-node hands out float16 as its bits, or where the host has one as a Float16Array. */
function widenedValue({ dims, data }: TensorValue): TensorValue {
  const bits =
    data instanceof Uint16Array ? data : new Uint16Array(data.buffer as ArrayBuffer, data.byteOffset, data.length);
  return { type: 'float32', dims, data: toFloat32(bits, float16ToFloat32) };
}
