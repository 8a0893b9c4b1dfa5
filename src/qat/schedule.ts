/** Learning rate by step, as a factor between 0 and 1 of the one asked for. */

export type ScheduleName = 'constant' | 'cosine' | 'step';

export interface Schedule {
  readonly name: ScheduleName;
  /** Steps in all. */
  readonly steps: number;
  /** First steps during which the rate rises linearly. */
  readonly warmup: number;
}

/** `step`: a tenth after half of the steps, and a hundredth after three quarters. */
const drops = [0.5, 0.75];

/** @param step from 0. Cosine falls to 0 after the last step (Loshchilov and Hutter 2017, without restarts). */
export function rateFactor({ name, steps, warmup }: Schedule, step: number): number {
  if (step < warmup) return (step + 1) / (warmup + 1);
  const progress = (step - warmup) / Math.max(1, steps - warmup);
  switch (name) {
    case 'constant':
      return 1;
    case 'cosine':
      return (1 + Math.cos(Math.PI * progress)) / 2;
    case 'step':
      return 0.1 ** drops.filter((at) => progress >= at).length;
  }
}
