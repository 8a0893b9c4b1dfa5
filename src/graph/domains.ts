/** Domains whose operators onnxruntime brings along. Any other is a local function, or somebody's own library. */
import type { Model } from './model.ts';
import type { Node } from './node.ts';

const known: ReadonlySet<string> = new Set([
  ...['', 'ai.onnx.ml', 'ai.onnx.training', 'ai.onnx.preview.training', 'com.microsoft', 'com.microsoft.nchwc'],
  ...[
    'com.microsoft.experimental',
    'com.microsoft.dml',
    'com.ms.internal.nhwc',
    'com.ms.internal.nchw',
    'org.pytorch.aten',
  ],
]);

/** Operators that only a library of the user's has. */
export function customNodes(model: Model): Node[] {
  const functions = new Set(model.functions.map(({ domain, name }) => `${domain ?? ''}:${name ?? ''}`));
  return [...model.allNodes()].filter(
    ({ domain, opType }) => !known.has(domain) && !functions.has(`${domain}:${opType}`),
  );
}

export function isKnownDomain(domain: string): boolean {
  return known.has(domain);
}
