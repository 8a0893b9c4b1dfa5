/**
 * Outputs of texts: the names of classes, say. Texts are equal or they are not, so that the share of equal ones is all that can be
 * measured; the first that differ are kept, because a share does not tell which class became which.
 */
import { textsOf } from '../onnx/texts.ts';
import type { PairedOutput } from './metrics/metric.ts';
import type { OutputRow, TextRow, Warning } from './report.ts';
import { wilsonInterval } from './statistics.ts';

/** Differences that are told. */
const told = 3;

/** Of one output; elements are numbers of the table of texts (`onnx/texts.ts`). */
export class TextTally {
  readonly #name: string;
  readonly #differ: TextRow['differ'] = [];
  #n = 0;
  #equal = 0;
  #samples = 0;

  constructor(name: string) {
    this.#name = name;
  }

  add({ ids, float, quant }: Pick<PairedOutput, 'ids' | 'float' | 'quant'>): void {
    this.#n += float.length;
    this.#samples += ids.length;
    for (let i = 0; i < float.length; i++) {
      if (float[i] === quant[i]) {
        this.#equal++;
      } else if (this.#differ.length < told) {
        const [before, after] = textsOf([float[i]!, quant[i]!]) as [string, string];
        this.#differ.push({ sample: ids[Math.floor((i * ids.length) / float.length)]!, float: before, quant: after });
      }
    }
  }

  row(): TextRow {
    const share = this.#n === 0 ? 1 : this.#equal / this.#n;
    return {
      name: this.#name,
      n: this.#n,
      agreement: share,
      // Of trials as many as samples: the texts of one sample are no independent ones.
      ...(this.#n > 0 && { agreementCi95: wilsonInterval(share, this.#samples) }),
      differ: this.#differ,
    };
  }
}

export interface OutputValue {
  readonly name: string;
  readonly value: number;
  readonly interval?: [number, number] | undefined;
}

/** Of every output that has one: of classes, then of texts. */
export function agreementsOf(facts: {
  readonly outputs: readonly OutputRow[];
  readonly texts?: readonly TextRow[] | undefined;
}): OutputValue[] {
  const { outputs, texts = [] } = facts;
  return [
    ...outputs.flatMap(({ name, argmaxAgreement: value, argmaxAgreementCi95: interval }) =>
      value === null ? [] : [{ name, value, interval }],
    ),
    ...texts.map(({ name, agreement: value, agreementCi95: interval }) => ({ name, value, interval })),
  ];
}

/** One for each output in which texts differ. */
export function textWarnings(rows: readonly TextRow[]): Warning[] {
  return rows.flatMap(({ name, n, agreement, differ }) => {
    if (differ.length === 0) return [];
    const different = Math.round(n * (1 - agreement));
    const first = differ.map(({ sample, float, quant }) => `'${float}' became '${quant}' at sample '${sample}'`);
    const more = different > first.length ? ' and others' : '';
    const message = `output '${name}': ${different} of ${n} texts differ: ${first.join(', ')}${more}`;
    return [{ code: 'TEXTS_DIFFER', message }];
  });
}
