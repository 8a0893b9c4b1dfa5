/**
 * Which changes of an operator leave the nodes that exist alone. More types, optional additions whose default is the old
 * behaviour, and clearer descriptions do; every one up to `newestOpset` was read, and those that do change a meaning have
 * an adapter. The breaking ones without an adapter are listed here, each with the reason why it breaks no node.
 */
import type { OperatorVersion } from './versions.ts';

const harmless: ReadonlyMap<string, string> = new Map([
  ['Erf 13', 'integer types were dropped, which no runtime ever had'],
]);

export function isCompatible(opType: string, { version, change }: OperatorVersion): boolean {
  return change !== 'breaking' || harmless.has(`${opType} ${version}`);
}

/**
 * Operators that onnxruntime defines in the default domain for every opset, and that its optimizer and exporters for language
 * models leave in files older than the standard's operator of that name.
 */
export const runtimeOperators: ReadonlySet<string> = new Set(['LayerNormalization', 'SimplifiedLayerNormalization']);
