/**
 * The contract of a task that is judged on whole samples, all their outputs together, against the float model, which is then
 * perfect: `--task NAME`. A task is one file and a row in tasks.ts; a user's own is a module (`--metric FILE`).
 */
import type { Better, PairedOutput } from './metric.ts';

/** What one task found. */
export interface Judgement {
  readonly metric: string;
  /** The outputs it looked at. */
  readonly output: string;
  readonly unit: string;
  readonly better: Better;
  /** Samples. */
  readonly n: number;
  /** What a perfect model gets: the float model against itself. */
  readonly float: number;
  readonly quant: number;
  /** 95 % confidence interval of quant − float. */
  readonly ci95?: readonly [number, number];
  readonly detail?: Readonly<Record<string, number>>;
}

export interface Judge {
  /** Outputs of one batch by name. @throws TASK_OUTPUTS when they are none that the task can read */
  add(outputs: ReadonlyMap<string, PairedOutput>): void;
  judgements(): Judgement[];
}

/** Settings of a task by name: numbers and words, as `--task-option NAME=VALUE` gave them. */
export type TaskSettings = Readonly<Record<string, string>>;

export interface Task {
  readonly id: string;
  /** One line for help. */
  readonly summary: string;
  /** Settings it reads, with their defaults as text. */
  readonly settings: Readonly<Record<string, string>>;
  /** Metrics of its judgements, for gates. */
  readonly metrics: readonly {
    readonly id: string;
    readonly unit: 'fraction' | 'units of the output' | 'nats';
    readonly better: Better;
  }[];
  /** @param settings complete: given values over defaults */
  create(settings: TaskSettings): Judge;
}

const z95 = 1.959963984540054;

/** The mean of one figure per sample, and its 95 % interval (normal approximation; undefined for fewer than two samples). */
export class SampleMean {
  n = 0;
  mean = 0;
  #squares = 0;

  add(value: number): void {
    this.n++;
    const before = value - this.mean;
    this.mean += before / this.n;
    this.#squares += before * (value - this.mean);
  }

  interval(): [number, number] | undefined {
    if (this.n < 2) return undefined;
    const half = z95 * Math.sqrt(this.#squares / (this.n - 1) / this.n);
    return [this.mean - half, this.mean + half];
  }
}

/** Σa / Σb over samples, and its 95 % interval by the delta method. */
export class SampleRatio {
  n = 0;
  #a = 0;
  #b = 0;
  #aa = 0;
  #ab = 0;
  #bb = 0;

  add(a: number, b: number): void {
    this.n++;
    this.#a += a;
    this.#b += b;
    this.#aa += a * a;
    this.#ab += a * b;
    this.#bb += b * b;
  }

  get value(): number {
    return this.#a / this.#b;
  }

  interval(): [number, number] | undefined {
    const { n, value } = this;
    if (n < 2 || this.#b === 0) return undefined;
    const residual = this.#aa - 2 * value * this.#ab + value * value * this.#bb;
    const half = (z95 * Math.sqrt(Math.max(0, residual) * (n / (n - 1)))) / this.#b;
    return [value - half, value + half];
  }
}
