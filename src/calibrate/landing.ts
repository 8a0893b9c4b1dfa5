/**
 * Where the elements of a run land: in arrays of the accumulator's own memory, made once, so that they are read where
 * onnxruntime wrote them. The first run tells their shapes. A run whose inputs have other shapes lands anywhere, and so do all
 * from the first on whose outputs did not fit although its inputs did: their shapes depend on the data.
 */
import type { Session } from '../backends/session.ts';
import { elementCount, type TensorValue } from '../onnx/data-types.ts';
import type { Landing } from './observers/observer.ts';

type Tensors = Readonly<Record<string, TensorValue>>;

/** Larger outputs together would crowd a memory of 4 GiB. */
const most = 2 ** 31;

export class LandingStrip {
  readonly #landing: Landing | undefined;
  readonly #names: readonly string[];
  /** Dimensions of the inputs for which the places hold. */
  #inputs = '';
  #places: readonly { readonly name: string; readonly dims: readonly number[]; readonly address: number }[] = [];
  #into: Tensors | undefined;
  #state: 'new' | 'ready' | 'off';

  /** @param names of the outputs with elements, float32 */
  constructor(landing: Landing | undefined, names: readonly string[]) {
    this.#landing = landing;
    this.#names = names;
    this.#state = landing && names.length > 0 ? 'new' : 'off';
  }

  async run(session: Session, feeds: Tensors): Promise<Tensors> {
    if (this.#state === 'ready' && dimsOf(feeds) === this.#inputs) {
      try {
        return await session.run(feeds, undefined, this.#arrays());
      } catch {
        // Whatever it was, it shows again without them.
        this.#state = 'off';
      }
    }
    const results = await session.run(feeds);
    if (this.#state === 'new') this.#allocate(feeds, results);
    return results;
  }

  #allocate(feeds: Tensors, results: Tensors): void {
    const tensors = this.#names.map((name) => ({ name, dims: results[name]!.dims }));
    const bytes = (dims: readonly number[]): number => 4 * elementCount(dims);
    this.#state = 'off';
    if (tensors.reduce((sum, { dims }) => sum + bytes(dims), 0) > most) return;
    try {
      this.#places = tensors.map((tensor) => ({ ...tensor, address: this.#landing!.allocate(bytes(tensor.dims)) }));
      this.#inputs = dimsOf(feeds);
      this.#state = 'ready';
    } catch (error) {
      // Without the memory it takes longer, and no more.
      if (!(error instanceof RangeError)) throw error;
    }
  }

  /** Made anew when the memory has grown: the old ones are cut off from it. */
  #arrays(): Tensors {
    const { buffer } = this.#landing!;
    const [first] = this.#places;
    if (this.#into?.[first!.name]!.data.buffer !== buffer) {
      const entries = this.#places.map(({ name, dims, address }): [string, TensorValue] => [
        name,
        { type: 'float32', dims, data: new Float32Array(buffer, address, elementCount(dims)) },
      ]);
      this.#into = Object.fromEntries(entries);
    }
    return this.#into!;
  }
}

function dimsOf(feeds: Tensors): string {
  return Object.entries(feeds)
    .map(([name, { dims }]) => `${name}:${dims.join('x')}`)
    .join(' ');
}
