/**
 * Outputs that onnxruntime writes where they are wanted, and nobody copies. It writes into arrays that a run is given, but its
 * binding for Node.js makes a copy of each for the result all the same: of a ResNet-50's activations, 67 MB, in memory that comes
 * fresh from the system each time. The binding goes through the outputs in the order of the graph, once all are written, and gives
 * up at a sequence. With an empty one as the first output, a run ends there, by an error of known words: all is written, and nothing
 * copied. A release whose binding returns sequences would make the copies again, and the numbers stay the same.
 */
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';

/** The first operator set that has sequences. */
const sequences = 11;
const name = 'qdq_written';
const words = 'Non tensor type is temporarily not supported';

/** A value to be the first output of the graph; undefined where its operator set has none. */
export function writtenMark({ graph, opset }: Model): Value | undefined {
  return opset < sequences
    ? undefined
    : graph.append(graph.makeNode('SequenceEmpty', [], { outputs: [name] })).output()!;
}

/** The name of that output in an open session, if its graph has one. */
export function markIn(outputs: readonly { readonly name: string; readonly isTensor: boolean }[]): string | undefined {
  const first = outputs[0];
  return first && !first.isTensor && first.name.startsWith(name) ? first.name : undefined;
}

/** Whether a run ended with this error because everything is written. */
export function saysWritten(error: unknown): boolean {
  return error instanceof Error && error.message.includes(words);
}
