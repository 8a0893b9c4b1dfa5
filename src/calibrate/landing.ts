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
  /** Dimensions of the inputs for which the places hold. */
  #inputs = '';
  #places: readonly { readonly tensor: string; readonly dims: readonly number[]; readonly address: number }[] = [];
  #into: readonly (readonly [string, TensorValue])[] | undefined;
  #state: 'new' | 'ready' | 'off';

  constructor(landing: Landing | undefined) {
    this.#landing = landing;
    this.#state = landing ? 'new' : 'off';
  }

  /** @param outputs names of the outputs with elements, float32, by tensor */
  async run(session: Session, feeds: Tensors, outputs: ReadonlyMap<string, string>): Promise<Tensors> {
    if (this.#state === 'ready' && dimsOf(feeds) === this.#inputs) {
      const into = this.#arrays().map(([tensor, array]): [string, TensorValue] => [outputs.get(tensor)!, array]);
      try {
        return await session.run(feeds, undefined, Object.fromEntries(into));
      } catch {
        // Whatever it was, it shows again without them.
        this.#state = 'off';
      }
    }
    const results = await session.run(feeds);
    if (this.#state === 'new') this.#allocate(feeds, results, outputs);
    return results;
  }

  #allocate(feeds: Tensors, results: Tensors, outputs: ReadonlyMap<string, string>): void {
    const tensors = Array.from(outputs, ([tensor, output]) => ({ tensor, dims: results[output]!.dims }));
    const bytes = (dims: readonly number[]): number => 4 * elementCount(dims);
    const all = tensors.reduce((sum, { dims }) => sum + bytes(dims), 0);
    this.#state = 'off';
    if (all === 0 || all > most) return;
    try {
      this.#places = tensors.map((each) => ({ ...each, address: this.#landing!.allocate(bytes(each.dims)) }));
      this.#inputs = dimsOf(feeds);
      this.#state = 'ready';
    } catch (error) {
      // Without the memory it takes longer, and no more.
      if (!(error instanceof RangeError)) throw error;
    }
  }

  /** Made anew when the memory has grown: the old ones are cut off from it. */
  #arrays(): readonly (readonly [string, TensorValue])[] {
    const { buffer } = this.#landing!;
    if (this.#into?.[0]![1].data.buffer !== buffer) {
      this.#into = this.#places.map(({ tensor, dims, address }) => [
        tensor,
        { type: 'float32', dims, data: new Float32Array(buffer, address, elementCount(dims)) },
      ]);
    }
    return this.#into!;
  }
}

function dimsOf(feeds: Tensors): string {
  return Object.entries(feeds)
    .map(([name, { dims }]) => `${name}:${dims.join('x')}`)
    .join(' ');
}
