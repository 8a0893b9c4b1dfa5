/** What every long-running command passes on: threads, and where progress and warnings go. */
import { usualThreads } from '../settings/library.ts';
import type { RunFlags } from '../settings/options.ts';
import type { Console } from './console.ts';

export function runFlags(values: { readonly threads?: number }, console: Console): Required<RunFlags> {
  return {
    threads: values.threads ?? usualThreads(),
    command: ['qdq', ...process.argv.slice(2)].map(quoted).join(' '),
    onProgress: (progress) => console.progress.update(progress),
    onWarning: (message) => console.warn(message),
  };
}

/** As it could be typed again in a POSIX shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
