/** What a benchmark reports: ratios against a baseline of the same run, or megabytes, each with the goal it is held to. */
import { spawn } from 'node:child_process';

export interface BenchResult {
  readonly name: string;
  readonly value: number;
  readonly unit: 'ratio' | 'MB' | 's';
  /** The value must not exceed it. */
  readonly goal: number;
  readonly pass: boolean;
  /** The figures behind the ratio. */
  readonly detail: string;
}

export function result(
  name: string,
  value: number,
  unit: BenchResult['unit'],
  goal: number,
  detail: string,
): BenchResult {
  return { name, value, unit, goal, pass: value <= goal, detail };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export interface Measured {
  readonly seconds: number;
  /** Peak resident memory of the process. */
  readonly megabytes: number;
  readonly output: string;
}

/** Runs a program to its end and measures it from outside. Peak memory is read from /proc, so Linux only. */
export async function measure(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Measured> {
  const start = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  let peak = 0;
  const { readFileSync } = await import('node:fs');
  const watch = setInterval(() => {
    try {
      const high = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'));
      if (high) peak = Math.max(peak, Number(high[1]) / 1024);
    } catch {
      // The process has just ended: the last reading stands.
    }
  }, 20);
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  clearInterval(watch);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`);
  return { seconds: (performance.now() - start) / 1000, megabytes: peak, output };
}
