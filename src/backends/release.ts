/**
 * Gives the memory of fetched tensors back at once. Each run of onnxruntime makes new arrays for its outputs, and V8, which sees only
 * their small heads, lets tens of megabytes gather before it collects them. A buffer handed to a port that nobody reads any more
 * is gone with the message (on Node 22 `buffer.transfer(0)` would say it more plainly; Node 20 has no such method).
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { TensorValue } from '../onnx/data-types.ts';

let sink: MessagePort | undefined;
/**
 * Freed once, an array of this size tells glibc that blocks up to it come and go, so that it keeps twice as much at hand. Else what is
 * released after one run (67 MB of a ResNet-50's activations) may go back to the system, and come again, page by page, in the next:
 * three times the time of the inference. It has 32 MiB as its limit; the memory is never touched.
 */
const comesAndGoes = 31 << 20;
/** Of more than that together, the last array waits for the next call: below it nothing goes back to the system. */
let held: ArrayBuffer | undefined;

/** The data of these tensors, and all other arrays on the same buffers, have length 0 from here on. */
export function release(tensors: Iterable<Pick<TensorValue, 'data'>>): void {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of tensors) if (data.buffer instanceof ArrayBuffer) buffers.add(data.buffer);
  if (!sink) {
    sink = closedPort();
    if (process.platform === 'linux') sink.postMessage(null, [new ArrayBuffer(comesAndGoes)]);
  }
  const freed = [...buffers];
  const total = freed.reduce((sum, { byteLength }) => sum + byteLength, 0);
  // A last one that is most of all would double the memory.
  const waiting = total > comesAndGoes && 4 * freed.at(-1)!.byteLength < total ? freed.pop() : undefined;
  if (held) freed.push(held);
  held = waiting && structuredClone(waiting, { transfer: [waiting] });
  sink.postMessage(null, freed);
}

function closedPort(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  // Nothing is awaited on it: it must not keep the process alive.
  port1.unref();
  return port1;
}
