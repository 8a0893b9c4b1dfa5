/** QAT models as other tools write them, tiny: what a test of converting builds, each in the form of one tool. */
import { random } from '../../src/data/random.ts';
import type { Model } from '../../src/graph/model.ts';
import type { DataTypeName, TensorValue } from '../../src/onnx/data-types.ts';
import { buildModel, constant, f32, i64, node, scalar, type Constant } from '../support/build.ts';

export type Nodes = ReturnType<typeof node>[];

export interface ForeignModel {
  readonly model: Model;
  readonly feeds: Record<string, TensorValue>;
}

/** Normal numbers; every channel along `axis` is given a loudness of its own, so that scales along another axis cannot pass for its. */
export function weights(dims: readonly number[], axis = 0, seed = 3): Constant {
  const generator = random(seed + dims.length);
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const size = dims.reduce((a, b) => a * b, 1);
  return f32(
    dims,
    Array.from(
      { length: size },
      (_, i) => generator.normal() * 0.15 * 2 ** -((Math.floor(i / inner) % dims[axis]!) % 5),
    ),
  );
}

/** Scales of channels along an axis, at which the largest element has the code `top`. */
export function scalesOf(w: Constant, axis: number | undefined, top = 127): Constant {
  const data = w.data as Float32Array;
  const count = axis === undefined ? 1 : w.dims[axis]!;
  const inner = axis === undefined ? data.length : w.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const most = new Float32Array(count);
  data.forEach((value, i) => {
    const slot = Math.floor(i / inner) % count;
    most[slot] = Math.max(most[slot]!, Math.abs(value));
  });
  return f32(
    axis === undefined ? [] : [count],
    most.map((value) => value / top),
  );
}

/** Scales of blocks of `size` along axis 0 of a matrix. */
export function blockScales(w: Constant, size: number, top = 7): Constant {
  const [rows, columns] = w.dims as [number, number];
  const out = new Float32Array((rows / size) * columns);
  (w.data as Float32Array).forEach((value, i) => {
    const slot = Math.floor(Math.floor(i / columns) / size) * columns + (i % columns);
    out[slot] = Math.max(out[slot]!, Math.abs(value) / top);
  });
  return f32([rows / size, columns], out);
}

const zerosLike = (scale: Constant, type: DataTypeName): Constant =>
  type.endsWith('int4')
    ? { type, dims: scale.dims, data: new Uint8Array(Math.ceil(scale.data.length / 2)) }
    : constant(
        type,
        scale.dims,
        Array.from(scale.data as Float32Array, () => 0),
      );

interface Quantizer {
  readonly scale: Constant;
  readonly type?: DataTypeName;
  readonly zero?: Constant | undefined;
  readonly axis?: number | undefined;
  readonly block?: number;
}

/** Collects constants and nodes. */
export class Network {
  readonly initializers: Record<string, Constant> = {};
  readonly nodes: Nodes = [];

  add(op: string, inputs: readonly string[], output: string, attributes: Parameters<typeof node>[3] = {}): string {
    this.nodes.push(node(op, inputs, [output], attributes));
    return output;
  }

  constant(name: string, value: Constant): string {
    this.initializers[name] = value;
    return name;
  }

  /** QuantizeLinear → DequantizeLinear behind `x`; the result is called `x_d`. */
  pair(
    x: string,
    { scale, type = 'int8', zero = zerosLike(scale, type), axis, block }: Quantizer,
    clip?: number[],
  ): string {
    const attributes = {
      ...(axis === undefined ? {} : { axis }),
      ...(block === undefined ? {} : { block_size: block }),
    };
    const parameters = [this.constant(`${x}_s`, scale), this.constant(`${x}_z`, zero)];
    let codes = this.add('QuantizeLinear', [x, ...parameters], `${x}_q`, attributes);
    if (clip) {
      const limits = clip.map((limit, i) => this.constant(`${x}_limit${i}`, scalar(type, limit)));
      codes = this.add('Clip', [codes, ...limits], `${x}_c`);
    }
    return this.add('DequantizeLinear', [codes, ...parameters], `${x}_d`, attributes);
  }

  /** Activations in u8 from -scale·128, or from 0 (behind a Relu), or in s8. */
  act(x: string, scale: number, kind: 'u8' | 'positive' | 's8' = 'u8'): string {
    const type = kind === 's8' ? 'int8' : 'uint8';
    return this.pair(x, { scale: scalar('float32', scale), type, zero: scalar(type, kind === 'u8' ? 128 : 0) });
  }

  /** The model, with x as [N, ...dims] of normal numbers. */
  done(dims: readonly number[], output: string, outputDims: readonly (number | string)[], opset = 17): ForeignModel {
    const generator = random(11);
    const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => generator.normal());
    const { initializers, nodes } = this;
    const model = buildModel({
      opset,
      inputs: { x: dims },
      initializers,
      nodes,
      outputs: { [output]: outputDims },
      irVersion: 10,
    });
    return { model, feeds: { x: { type: 'float32', dims, data } } };
  }
}

export { f32, i64, scalar };
