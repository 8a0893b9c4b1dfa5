/**
 * Convolutions whose weights are not constant, in onnxruntime's own blocked layout (NCHWc): a third faster than its plain kernel.
 * By itself it uses that layout for constant weights only. The operators behind it (domain com.microsoft.nchwc) are internal to
 * onnxruntime and the size of a block depends on the CPU, so nothing is taken for granted: `blockSize` compares the blocked kernel
 * with the plain one, and where no size gives the same numbers, graphs stay as they are.
 */
import { Emitter } from '../graph/emitter.ts';
import { Graph } from '../graph/graph.ts';
import { Model } from '../graph/model.ts';
import { Names } from '../graph/names.ts';
import type { Node } from '../graph/node.ts';
import { forward } from '../graph/rewrite.ts';
import type { Value } from '../graph/value.ts';
import { openSession } from './session.ts';

const domain = 'com.microsoft.nchwc';

/**
 * Rewrites every convolution with run-time weights whose channels fill blocks. Shapes of weights must be known.
 * @param block as `blockSize` found it; undefined leaves the model as it is
 * @returns how many were rewritten
 */
export function blockConvolutions(model: Model, block: number | undefined): number {
  if (block === undefined) return 0;
  /** One reordered copy serves all convolutions that read the same value. */
  const reordered = new Map<Value, Value>();
  let count = 0;
  for (const node of model.graph.nodes()) {
    const dims = node.is('Conv') ? weightDims(node) : undefined;
    if (!dims || !fits(node, dims, block)) continue;
    rewrite(node, dims, block, reordered);
    count++;
  }
  if (count > 0) model.opsets.set(domain, 1);
  return count;
}

function weightDims(node: Node): number[] | undefined {
  const { dims } = node.input(1)!;
  return dims?.every((dim) => typeof dim === 'number') ? [...(dims as number[])] : undefined;
}

/** 1×1 kernels are plain matrix products either way, and reordering would cost more than it wins. */
function fits(node: Node, [filters, channels, ...kernel]: readonly number[], block: number): boolean {
  if (node.constant(1) || node.int('group', 1) !== 1 || kernel.length !== 2) return false;
  return filters! % block === 0 && channels! % block === 0 && kernel.some((size) => size > 1);
}

function rewrite(node: Node, dims: readonly number[], block: number, reordered: Map<Value, Value>): void {
  const emit = new Emitter(node.graph!, node.label, node);
  const [filters, channels, height, width] = dims as [number, number, number, number];
  const x = node.input(0)!;
  let image = reordered.get(x);
  if (!image) reordered.set(x, (image = emit.op('ReorderInput', [x], { channels_last: 0 }, domain)));
  const apart = emit.reshape(node.input(1)!, [filters / block, block, channels / block, block, height, width]);
  const weight = emit.reshape(emit.transpose(apart, [0, 2, 4, 5, 3, 1]), dims);
  const bias = node.input(2);
  const product = emit.op('Conv', [image, weight, ...(bias ? [bias] : [])], {}, domain);
  for (const [name, attribute] of node.attributes) product.producer!.attributes.set(name, attribute);
  product.producer!.setInts('kernel_shape', [height, width]);
  const result = emit.op('ReorderOutput', [product], { channels: filters, channels_last: 0 }, domain);
  forward(node.output()!, result);
  node.graph!.remove(node);
}

let known: Promise<number | undefined> | undefined;

/** Channels per block on this CPU, found by trial; undefined when the blocked kernel does not agree with the plain one. */
export function blockSize(): Promise<number | undefined> {
  known ??= findBlockSize();
  return known;
}

async function findBlockSize(): Promise<number | undefined> {
  for (const block of [16, 8]) if (await agrees(block)) return block;
  return undefined;
}

/** One convolution of 32 channels both ways: with the wrong block the channels are mixed up. */
async function agrees(block: number): Promise<boolean> {
  const graph = new Graph('blocked', new Names());
  const emit = new Emitter(graph, 'trial');
  const [x, w] = [graph.addInput('x', 1, [1, 32, 5, 6]), graph.addInput('w', 1, [32, 32, 3, 3])];
  const attributes = { kernel_shape: [3, 3], pads: [1, 0, 1, 1], strides: [2, 1] };
  const bias = emit.floats(
    [32],
    Array.from({ length: 32 }, (_, i) => i / 8),
  );
  for (let i = 0; i < 2; i++) graph.addOutput(emit.op('Conv', [x, w, bias], attributes));
  const model = new Model(graph, { irVersion: 8, opsetImport: [{ domain: '', version: 17 }] }, undefined);
  const [plain, blocked] = graph.outputs.map((output) => output.name) as [string, string];
  rewrite(graph.outputs[1]!.producer!, [32, 32, 3, 3], block, new Map());
  model.opsets.set(domain, 1);
  const wave = (dims: readonly number[], length: number) => {
    return { type: 'float32' as const, dims, data: Float32Array.from({ length }, (_, i) => Math.sin(1 + i * 1.7)) };
  };
  try {
    const session = await openSession(model, { level: 'disabled' }, 'the trial of blocked convolutions');
    try {
      const results = await session.run({ x: wave([1, 32, 5, 6], 960), w: wave([32, 32, 3, 3], 9216) });
      const [a, b] = [results[plain]!.data as Float32Array, results[blocked]!.data as Float32Array];
      // 288 products of numbers up to 1, summed in another order.
      return a.length === b.length && a.every((value, i) => Math.abs(value - b[i]!) < 1e-3);
    } finally {
      await session.dispose();
    }
  } catch {
    // A release of onnxruntime without these operators: graphs stay as they are.
    return false;
  }
}
