/**
 * Progress of long work on stderr. On a terminal: one line that is redrawn, with bar, rate and time left. Elsewhere:
 * one line per stage when it ends, with count and seconds. Under --quiet: nothing.
 */
import type { Progress } from '../settings/options.ts';

export type ProgressMode = 'bar' | 'lines' | 'none';

export interface ProgressDisplay {
  update(progress: Progress): void;
  /** Ends the stage under way, as done. */
  finish(): void;
  /** Takes a drawn line off the terminal, so that something else can be written; the next update draws it again. */
  clear(): void;
}

interface Writer {
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

const redrawEvery = 100;
const barWidth = 24;

/** @param now milliseconds, monotonic */
export function createProgress(
  stream: Writer,
  mode: ProgressMode,
  now: () => number = () => performance.now(),
): ProgressDisplay {
  let current: Progress | undefined;
  let started = 0;
  let alreadyDone = 0;
  let drawnAt = -Infinity;
  let drawn = false;

  const clear = (): void => {
    if (drawn) stream.write('\r\x1b[K');
    drawn = false;
    drawnAt = -Infinity;
  };
  const finish = (): void => {
    clear();
    if (current && current.done > 0) stream.write(`${summaryLine(current, now() - started)}\n`);
    current = undefined;
  };
  if (mode === 'none') return { update() {}, finish() {}, clear() {} };
  return {
    update(progress) {
      if (current?.stage !== progress.stage) {
        finish();
        started = now();
        alreadyDone = progress.done;
      }
      current = progress;
      if (mode === 'lines' || now() - drawnAt < redrawEvery) return;
      drawnAt = now();
      drawn = true;
      // One column stays free: a full line would wrap, and the next redraw would leave it behind.
      stream.write(`\r${barLine(progress, drawnAt - started, alreadyDone).slice(0, (stream.columns || 80) - 1)}\x1b[K`);
    },
    finish,
    clear,
  };
}

/**
 * @param alreadyDone when the stage was first heard of; the rate counts from there, and not before it means something
 */
function barLine({ stage, done, total, unit, detail }: Progress, elapsed: number, alreadyDone: number): string {
  const rate = elapsed >= 2 * redrawEvery ? (done - alreadyDone) / (elapsed / 1000) : 0;
  const speed = rate > 0 ? `  ${rate >= 10 ? Math.round(rate) : rate.toFixed(1)}/s` : '';
  const more = detail === undefined ? '' : `  ${detail}`;
  if (total === undefined || total <= 0) return `${stage}  ${done} ${unit}${speed}${more}`;
  const filled = Math.min(barWidth, Math.floor((done / total) * barWidth));
  const left = rate > 0 && done < total ? `  ${duration(((total - done) / rate) * 1000)} left` : '';
  return `${stage}  [${'='.repeat(filled)}${' '.repeat(barWidth - filled)}] ${done}/${total} ${unit}${speed}${left}${more}`;
}

function summaryLine({ stage, done, total, unit }: Progress, elapsed: number): string {
  const count = total === undefined || total === done ? String(done) : `${done}/${total}`;
  return `${stage}: ${count} ${done === 1 ? unit.replace(/s$/, '') : unit} in ${duration(elapsed)}`;
}

/** 0.4 s, 12.3 s, 4:05 min, 1:02:03 h. */
export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const pad = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(whole % 60)} h` : `${minutes}:${pad(whole % 60)} min`;
}
