/**
 * Gives the memory of fetched tensors back at once. Each run of onnxruntime makes new arrays for its outputs, and V8, which sees only
 * their small heads, lets tens of megabytes gather before it collects them. A buffer handed to a port that nobody reads any more
 * is gone with the message (on Node 22 `buffer.transfer(0)` would say it more plainly; Node 20 has no such method).
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { TensorValue } from '../onnx/data-types.ts';

let sink: MessagePort | undefined;
let told = false;
/**
 * Freed once, an array of this size tells glibc that blocks up to it come and go, so that it keeps twice as much at hand instead of giving
 * it back to the system and taking it again, page by page. It has 32 MiB as its limit; the memory is never touched.
 */
const comesAndGoes = 31 << 20;
/** Less than this at a time is not worth what glibc keeps at hand then. */
const worthKeeping = 4 << 20;

/** The data of these tensors, and all other arrays on the same buffers, have length 0 from here on. */
export function release(tensors: Iterable<Pick<TensorValue, 'data'>>): void {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of tensors) if (data.buffer instanceof ArrayBuffer) buffers.add(data.buffer);
  let bytes = 0;
  for (const { byteLength } of buffers) bytes += byteLength;
  if (bytes === 0) return;
  sink ??= closedPort();
  if (!told && bytes >= worthKeeping && process.platform === 'linux') {
    told = true;
    buffers.add(new ArrayBuffer(comesAndGoes));
  }
  sink.postMessage(null, [...buffers]);
}

function closedPort(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  // Nothing is awaited on it: it must not keep the process alive.
  port1.unref();
  return port1;
}
