/**
 * What must be undone when the process is stopped from outside: temporary files, child processes. Whoever creates one
 * registers its removal; the command line runs the registry on SIGINT and SIGTERM. A leaf: every room may import it.
 */

const cleanups = new Set<() => void>();

/**
 * Registers a synchronous cleanup. Returns the function that takes it off again, to be called when the work is done.
 */
export function onInterrupt(cleanup: () => void): () => void {
  cleanups.add(cleanup);
  return () => cleanups.delete(cleanup);
}

/** Runs every registered cleanup, the latest first. One that fails does not keep the others from running. */
export function runInterruptCleanups(): void {
  for (const cleanup of [...cleanups].reverse()) {
    cleanups.delete(cleanup);
    try {
      cleanup();
    } catch {
      // The process is on its way out: there is nobody left to tell.
    }
  }
}
