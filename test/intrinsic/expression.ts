/** Writes arithmetic as nodes, with operands in an order that a property test chooses, and feeds that reach far enough. */
import type { NodeProto } from '../../src/onnx/messages.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { constant, f32, node, type AttributeSpec, type Constant } from '../support/build.ts';
import type { Feeds } from './fuse.ts';

export class Expression {
  readonly nodes: NodeProto[] = [];
  readonly initializers: Record<string, Constant> = {};
  readonly #swaps: readonly boolean[];
  readonly #constantDims: readonly number[];
  #written = 0;

  /** @param swaps whether the operands of the first, second, … sum or product change places (then from the start again) */
  constructor(swaps: readonly boolean[] = [false], constantDims: readonly number[] = []) {
    this.#swaps = swaps;
    this.#constantDims = constantDims;
  }

  /** A node; numbers become scalar constants. Returns the name of its output. */
  op(
    opType: string,
    inputs: readonly (string | number)[],
    output?: string,
    attributes: Readonly<Record<string, AttributeSpec>> = {},
  ): string {
    const names = inputs.map((input) => (typeof input === 'number' ? this.number(input) : input));
    const commutes = opType === 'Add' || opType === 'Mul';
    if (commutes && this.#swaps[this.#written++ % this.#swaps.length]) names.reverse();
    const name = output ?? `t${this.nodes.length}`;
    this.nodes.push(node(opType, names, [name], attributes));
    return name;
  }

  number(value: number): string {
    const name = `k${Object.keys(this.initializers).length}`;
    this.initializers[name] = f32(this.#constantDims, [value]);
    return name;
  }
}

/** A feed between -reach and reach. */
export function wide(dims: readonly number[], reach: number): Feeds {
  const { data } = f32(dims) as { data: Float32Array };
  return {
    x: constant(
      'float32',
      dims,
      data.map((value) => value * reach),
    ) as TensorValue,
  };
}
