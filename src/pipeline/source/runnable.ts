/** Whether a model can be run here at all, beside the model made from it: its size, and operators of other libraries. */
import { customNodes, type Model } from '../../graph/model.ts';
import { statSync } from 'node:fs';
import { freemem } from 'node:os';
import type { ModelFile } from '../../onnx/model-file.ts';

/** Of the file and its external data, in bytes. */
export function sizeOf(file: ModelFile): number {
  const external = file.externalFiles().map((path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0);
  return external.reduce((sum, size) => sum + size, file.byteLength);
}

/** Weights are held as stored and once more in the layout of the kernels; the quantized model comes on top. */
const copies = 2.5;

/** A model below 1 GB is never refused: what free memory means on a small machine is not for us to say. */
export function isLarge(file: ModelFile): boolean {
  return sizeOf(file) >= 1e9;
}

/** For work of which the result must not depend on how much memory is free: why it is not done on a large model. */
export function largeness(file: ModelFile): string | undefined {
  return isLarge(file) ? 'the model is larger than 1 GB' : undefined;
}

export function fitsInMemory(file: ModelFile): boolean {
  return !isLarge(file) || sizeOf(file) * copies < (process.availableMemory?.() ?? freemem());
}

/** Operators of libraries that onnxruntime-node cannot register, in words; undefined when there are none. */
export function customOperators(model: Model): string | undefined {
  const names = [...new Set(customNodes(model).map(({ domain, opType }) => `${domain}.${opType}`))].toSorted();
  if (names.length === 0) return undefined;
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more operators` : shown;
}

export function notRunFor(operators: string): string {
  return `NOT RUN: nothing here runs ${operators} (onnxruntime-node registers no libraries of custom operators); the model was written without being loaded, run or compared`;
}
