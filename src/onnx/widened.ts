/**
 * Constants of other float types as float32. Small ones are made at once; of large ones the elements are made when they are read, so
 * that a file of gigabytes still streams. float64 beyond float32 becomes the largest float32: masks stay finite.
 */
import { copyInto, FillingSource, JoinedBytes, lazyThreshold, toBytes } from './bytes.ts';
import type { DataTypeName } from './data-types.ts';
import { bfloat16ToFloat32, float16ToFloat32, float32ToFloat16, fromFloat32 } from './narrow-types.ts';
import type { Payload } from './messages.ts';
import { Tensor } from './tensor.ts';

/** Types that this file reads. */
export type OtherFloat = 'float16' | 'bfloat16' | 'float64';

export function isOtherFloat(type: DataTypeName | undefined): type is OtherFloat {
  return type === 'float16' || type === 'bfloat16' || type === 'float64';
}

const largestFloat = 3.4028234663852886e38;
const bytesOf = { float16: 2, bfloat16: 2, float64: 8 } as const;
/** Elements that are converted at a time. */
const block = 2 ** 16;

/** The elements of another payload, converted as they are read. */
class WidenedBytes extends FillingSource {
  readonly byteLength: number;
  readonly type: OtherFloat;
  readonly source: Payload;

  constructor(type: OtherFloat, source: Payload) {
    super();
    this.type = type;
    this.source = source;
    this.byteLength = (source.byteLength / bytesOf[type]) * 4;
  }

  readInto(offset: number, target: Uint8Array): void {
    const width = bytesOf[this.type];
    for (let done = 0; done < target.length;) {
      // Pieces may begin and end inside an element.
      const first = Math.floor((offset + done) / 4);
      const skip = offset + done - first * 4;
      const count = Math.min(block, Math.ceil((skip + target.length - done) / 4));
      const raw = new Uint8Array(count * width);
      copyInto(this.source, first * width, raw);
      const wide = new Uint8Array(convert(this.type, raw, count).buffer);
      const taken = Math.min(wide.length - skip, target.length - done);
      target.set(wide.subarray(skip, skip + taken), done);
      done += taken;
    }
  }
}

function convert(type: OtherFloat, raw: Uint8Array, count: number): Float32Array<ArrayBuffer> {
  const to = new Float32Array(count);
  if (type === 'float64') {
    const from = new Float64Array(raw.buffer as ArrayBuffer, raw.byteOffset, count);
    for (let i = 0; i < count; i++) {
      const value = from[i]!;
      to[i] = Number.isFinite(value) ? Math.max(-largestFloat, Math.min(largestFloat, value)) : value;
    }
    return to;
  }
  const from = new Uint16Array(raw.buffer as ArrayBuffer, raw.byteOffset, count);
  const wide = type === 'float16' ? float16ToFloat32 : bfloat16ToFloat32;
  for (let i = 0; i < count; i++) to[i] = wide(from[i]!);
  return to;
}

/** The tensor in float32; itself when it is of no other float type. */
export function widened(tensor: Tensor): Tensor {
  const { name, type, dims, size } = tensor;
  if (!isOtherFloat(type.name)) return tensor;
  const payload = tensor.payload();
  if (payload.byteLength >= lazyThreshold) {
    return Tensor.lazy(name, 'float32', dims, new WidenedBytes(type.name, payload));
  }
  // A copy, since views of small payloads may lie at odd addresses.
  return Tensor.of(name, 'float32', dims, convert(type.name, Uint8Array.from(toBytes(payload)), size));
}

/** The float32 tensor in float16; of a large one the elements are made, or left where they are, until they are read. */
export function narrowed(tensor: Tensor, name: string): Tensor {
  const payload = tensor.payload();
  if (payload instanceof Uint8Array) {
    return Tensor.of(name, 'float16', tensor.dims, fromFloat32(tensor.floats(), float32ToFloat16));
  }
  const before = beforeWidening(tensor, 'float16');
  const source = before instanceof Uint8Array ? new JoinedBytes([before]) : before;
  return Tensor.lazy(name, 'float16', tensor.dims, source ?? new HalfBytes(payload));
}

/** The elements of a float32 payload, rounded as they are read. */
class HalfBytes extends FillingSource {
  readonly byteLength: number;
  readonly #source: Payload;

  constructor(source: Payload) {
    super();
    this.#source = source;
    this.byteLength = source.byteLength / 2;
  }

  readInto(offset: number, target: Uint8Array): void {
    const first = Math.floor(offset / 2);
    const count = Math.ceil((offset + target.length) / 2) - first;
    const raw = new Uint8Array(count * 4);
    copyInto(this.#source, first * 4, raw);
    const halves = new Uint8Array(fromFloat32(new Float32Array(raw.buffer), float32ToFloat16).buffer);
    target.set(halves.subarray(offset - first * 2, offset - first * 2 + target.length));
  }
}

/** The elements as the file has them, of a large tensor that was widened from this type and not changed since. */
function beforeWidening(tensor: Tensor, type: OtherFloat): Payload | undefined {
  if (tensor.type.name !== 'float32') return undefined;
  const payload = tensor.payload();
  return payload instanceof WidenedBytes && payload.type === type ? payload.source : undefined;
}
