/**
 * Preallocated outputs: onnxruntime writes the outputs of a run into arrays of the accumulator's own memory, made once, so that their
 * elements are counted where they were written (backends/output-memory.ts says how, and what copies it saves). The first run tells their
 * shapes. Outputs of a run whose inputs have other shapes lie anywhere and are copied, and so do all from the first run on whose outputs
 * did not fit although its inputs did: their shapes depend on the data.
 */
import { release } from '../backends/output-memory.ts';
import type { Session } from '../backends/session.ts';
import { elementCount, type TensorValue, type TypedArray } from '../onnx/data-types.ts';
import type { ElementMemory } from './observers/observer.ts';

type Tensors = Readonly<Record<string, TensorValue>>;

/** Bytes; larger outputs together would crowd a memory of 4 GiB. */
const mostBytes = 2 ** 31;
/** Bytes of garbage that are not worth the trouble to give them back. */
const mostLoose = 2 ** 21;
/** Stands at both ends of every array before a run: what of it is left afterwards was not written. */
const unwritten = Math.fround(-1.2345678e-33);

interface Place {
  readonly output: string;
  readonly dims: readonly number[];
  readonly address: number;
}

/** The outputs of one session after the other. */
export class PreallocatedOutputs {
  readonly #memory: ElementMemory | undefined;
  /** What was allocated so far, and serves every session in turn. */
  #region = { address: 0, bytes: 0 };
  /** Dimensions of the inputs for which the places hold. */
  #inputs = '';
  #places: readonly Place[] = [];
  /** Outputs in arrays of their own, as the first run returned them. */
  #kept: readonly (readonly [string, TensorValue])[] = [];
  #into: Tensors | undefined;
  /** Those of them that are in the memory. */
  #written: readonly (TensorValue & { readonly data: Float32Array })[] = [];
  /** The memory when they were made. */
  #seen: ArrayBuffer | undefined;
  #state!: 'new' | 'ready' | 'off';
  /** What runs returned elsewhere, and its bytes. */
  #loose: TensorValue[] = [];
  #looseBytes = 0;

  /** @param memory undefined where outputs are few numbers, which are sooner copied */
  constructor(memory: ElementMemory | undefined) {
    this.#memory = memory;
    this.renew();
  }

  /** For another session, whose outputs have other shapes. */
  renew(): void {
    this.#state = this.#memory ? 'new' : 'off';
  }

  /**
   * What it returns is there until the next run, which writes over it or gives its memory back.
   * @param kept outputs that someone holds on to: each run writes them into arrays of their own
   */
  async run(session: Session, feeds: Tensors, kept: readonly string[] = []): Promise<Tensors> {
    if (this.#looseBytes > mostLoose) {
      release(this.#loose);
      this.#loose = [];
      this.#looseBytes = 0;
    }
    if (this.#state === 'ready' && dimsOf(feeds) === this.#inputs) {
      try {
        const into = this.#arrays();
        for (const { data } of this.#written) data[0] = data[data.length - 1] = unwritten;
        const results = await session.run(feeds, undefined, into);
        if (!this.#written.some(({ data }) => data[0] === unwritten || data[data.length - 1] === unwritten))
          return results;
      } catch {
        // Whatever it was, it shows again without them.
      }
      this.#state = 'off';
    }
    const results = await session.run(feeds);
    for (const [output, value] of Object.entries(results)) {
      if (kept.includes(output)) continue;
      this.#loose.push(value);
      this.#looseBytes += Array.isArray(value.data) ? 0 : value.data.byteLength;
    }
    if (this.#state === 'new') this.#allocate(feeds, results, kept);
    return results;
  }

  #allocate(feeds: Tensors, results: Tensors, kept: readonly string[]): void {
    const own = Object.entries(results);
    let bytes = 0;
    const offsets = own
      .filter(([output, { type }]) => type === 'float32' && !kept.includes(output))
      .map(([output, { dims }]): Place => {
        const address = bytes;
        bytes += 64 * Math.ceil((Float32Array.BYTES_PER_ELEMENT * elementCount(dims)) / 64);
        return { output, dims, address };
      });
    this.#state = 'off';
    if (bytes === 0 || bytes > mostBytes) return;
    try {
      if (bytes > this.#region.bytes) this.#region = { address: this.#memory!.allocate(bytes), bytes };
    } catch (error) {
      // Without the memory it takes longer, and no more.
      if (error instanceof RangeError) return;
      throw error;
    }
    this.#places = offsets.map((place) => ({ ...place, address: this.#region.address + place.address }));
    this.#kept = own.filter(([output]) => kept.includes(output));
    this.#inputs = dimsOf(feeds);
    this.#into = undefined;
    this.#state = 'ready';
  }

  /** The same ones run after run, until the memory has grown: then they are cut off from it. */
  #arrays(): Tensors {
    const { buffer } = this.#memory!;
    if (!this.#into || this.#seen !== buffer) {
      this.#seen = buffer;
      this.#written = this.#places.map(({ dims, address }) => {
        return { type: 'float32', dims, data: new Float32Array(buffer, address, elementCount(dims)) };
      });
      this.#into = Object.fromEntries(this.#places.map(({ output }, i) => [output, this.#written[i]!]));
    }
    return this.#kept.length > 0 ? { ...this.#into, ...Object.fromEntries(this.#kept.map(fresh)) } : this.#into;
  }
}

function dimsOf(feeds: Tensors): string {
  return Object.entries(feeds)
    .map(([name, { dims }]) => `${name}:${dims.join('x')}`)
    .join(' ');
}

function fresh([output, { type, dims, data }]: readonly [string, TensorValue]): [string, TensorValue] {
  return [output, { type, dims, data: new (data.constructor as new (length: number) => TypedArray)(data.length) }];
}
