/**
 * One run at a time at what another run may go on with: a file beside it holds the process that works there. A process that is gone leaves
 * a lock that counts no longer.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { onnxErrors } from '../errors/onnx.ts';
import { placeErrors } from '../errors/pipeline.ts';
import { onInterrupt } from '../process/interrupt.ts';
import { systemError } from './file.ts';

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process began, in the words of the system; the numbers of processes come again. */
  readonly since: string;
}

/** Locks of this process: one that bears its number and is not among them is of an earlier process. */
const held = new Set<string>();

/**
 * @param path what is worked at
 * @returns gives it free
 * @throws OUTPUT_LOCKED, ONNX_UNWRITABLE
 */
export function lock(path: string): () => void {
  const file = `${path}.lock`;
  for (let attempts = 0; !create(file); attempts++) {
    const holder = readHolder(file);
    if (holder && (isAlive(holder, file) || attempts > 0)) {
      const elsewhere = holder.host === hostname() ? undefined : holder.host;
      throw placeErrors.locked(path, file, { pid: holder.pid, host: elsewhere });
    }
    // Without a holder it was given free since, or its writer was killed at that moment.
    rmSync(file, { force: true });
  }
  held.add(file);
  const remove = (): void => {
    if (held.delete(file)) rmSync(file, { force: true });
  };
  const release = onInterrupt(remove);
  process.once('exit', remove);
  return () => {
    remove();
    release();
    process.removeListener('exit', remove);
  };
}

function create(file: string): boolean {
  const holder: Holder = { pid: process.pid, host: hostname(), since: startOf(process.pid) };
  try {
    writeFileSync(file, JSON.stringify(holder), { flag: 'wx' });
    return true;
  } catch (error) {
    if (!systemError(error)) throw error;
    if (error.code === 'EEXIST') return false;
    throw onnxErrors.unwritable(file, error);
  }
}

function readHolder(file: string): Holder | undefined {
  try {
    const { pid, host, since } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Holder>;
    return Number.isSafeInteger(pid) ? { pid: pid!, host: String(host), since: String(since) } : undefined;
  } catch {
    return undefined;
  }
}

/** Of a process on another machine nothing is known. */
function isAlive({ pid, host, since }: Holder, file: string): boolean {
  if (host !== hostname()) return true;
  if (pid === process.pid) return held.has(file);
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const start = startOf(pid);
  return start === '' || since === '' || start === since;
}

/** From /proc, where there is one. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Behind the name, which may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
