/**
 * The memory of a run's outputs: how onnxruntime is made to write them where they are wanted, and how fetched ones are freed at once.
 *
 * Written in place. onnxruntime writes into arrays that a run is given, but its binding for Node.js copies each of them for the result all
 * the same: of a ResNet-50's activations 67 MB per run, in memory that comes fresh from the system, which costs as much as the inference.
 * The binding goes through the outputs in the order of the graph, once all are written, and gives up at a sequence. With an empty sequence
 * as the first output a run ends there, by an error of known words: everything is written and nothing copied. A release whose binding
 * returns sequences would make the copies again, and the numbers stay the same.
 *
 * Freed at once. Each run makes new arrays for its outputs, and V8, which sees only their small heads, lets tens of megabytes gather before
 * it collects them. A buffer that is transferred to a port which nobody reads is gone with the message (on Node 22 `buffer.transfer(0)`
 * would say it more plainly; Node 20 has no such method).
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { TensorValue } from '../onnx/data-types.ts';
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';

/** The first operator set that has sequences. */
const sequences = 11;
const markName = 'qdq_written';
/** Words of the error with which the binding ends at a sequence. */
const sequenceError = 'Non tensor type is temporarily not supported';

/** Appends the empty sequence that is to be the first output of the graph; undefined where its operator set has no sequences. */
export function appendEndMark({ graph, opset }: Model): Value | undefined {
  return opset < sequences
    ? undefined
    : graph.append(graph.makeNode('SequenceEmpty', [], { outputs: [markName] })).output()!;
}

/** The name of that output in an open session, if its graph has one. */
export function endMarkOf(
  outputs: readonly { readonly name: string; readonly isTensor: boolean }[],
): string | undefined {
  const first = outputs[0];
  return first && !first.isTensor && first.name.startsWith(markName) ? first.name : undefined;
}

/** Whether a run ended with this error because everything is written. */
export function endedAtMark(error: unknown): boolean {
  return error instanceof Error && error.message.includes(sequenceError);
}

let sink: MessagePort | undefined;
let heapTuned = false;
/**
 * Freed once, an array of this size tells glibc that blocks up to it come and go, so that it keeps twice as much at hand instead of giving
 * it back to the system and taking it again, page by page. It has 32 MiB as its limit; the memory is never touched.
 */
const comesAndGoes = 31 << 20;
/** Less than this at a time is not worth what glibc keeps at hand then. */
const worthKeeping = 4 << 20;

/** Frees tensors: their data, and all other arrays on the same buffers, have length 0 from here on. */
export function release(tensors: Iterable<Pick<TensorValue, 'data'>>): void {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of tensors) if (data.buffer instanceof ArrayBuffer) buffers.add(data.buffer);
  let bytes = 0;
  for (const { byteLength } of buffers) bytes += byteLength;
  if (bytes === 0) return;
  sink ??= closedPort();
  if (!heapTuned && bytes >= worthKeeping && process.platform === 'linux') {
    heapTuned = true;
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
