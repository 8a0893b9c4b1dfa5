/**
 * What must be undone when the process is stopped from outside: temporary files, child processes. Whoever creates one
 * registers its removal; the command line runs the registry on SIGINT and SIGTERM. A leaf: every room may import it.
 */

type Cleanup = () => unknown;

const cleanups = new Set<Cleanup>();

/**
 * Registers a cleanup; one that returns a promise is waited for. Returns the function that takes it off again, to be called
 * when the work is done.
 */
export function onInterrupt(cleanup: Cleanup): () => void {
  cleanups.add(cleanup);
  return () => cleanups.delete(cleanup);
}

/** Runs every registered cleanup, the latest first. One that fails does not keep the others from running. */
export async function runInterruptCleanups(): Promise<void> {
  const pending: unknown[] = [];
  for (const cleanup of [...cleanups].reverse()) {
    cleanups.delete(cleanup);
    try {
      pending.push(cleanup());
    } catch {
      // The process is on its way out: there is nobody left to tell.
    }
  }
  await Promise.allSettled(pending);
}
