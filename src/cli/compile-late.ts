/**
 * V8 compiles a function for speed after it has run for a millisecond or so, on threads each of which keeps the megabytes that takes.
 * In a command that lives for seconds most such functions have done the better part of their work by then; those that have not, loops
 * over pixels and elements, run a thousand times as long.
 */
import { setFlagsFromString } from 'node:v8';

/** Bytes of bytecode that a function runs through between two looks at how hot it is; Node 20 looks every 67,584. */
const budget = 1_000_000;

/** To be called before anything else is loaded. For programs only: the flag holds for the whole process. */
export function compileLate(): void {
  setFlagsFromString(`--interrupt-budget=${budget}`);
}
