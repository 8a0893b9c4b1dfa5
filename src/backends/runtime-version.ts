/**
 * Which releases of onnxruntime-node qdq runs on. It relies on more than the documented interface (where optimized graphs are written,
 * constants handed over in memory, outputs written in place), so package.json pins the release that the tests run on.
 */
import { backendErrors } from '../errors/backends.ts';

/** Tried with the demo and every format: equal bytes. */
export const triedRuntimes = ['1.26.0', '1.29.0', '1.30.0'] as const;

/** @throws BACKEND_TOO_OLD below the oldest release that was tried: 1.22 cannot take constants from memory */
export function checkRuntimeVersion(version: string | undefined): void {
  const [oldest] = triedRuntimes;
  if (version !== undefined && isBelow(version, oldest))
    throw backendErrors.tooOld(version, oldest, triedRuntimes.at(-1)!);
}

function isBelow(version: string, least: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = least.split('.').map(Number);
  return major < leastMajor || (major === leastMajor && minor < leastMinor);
}
