/** A model file against the rules of a target: `qdq lint`. */
import { chosenTarget } from '../pipeline/scheme.ts';
import { modelFromProto } from '../graph/from-proto.ts';
import { loadModel } from '../onnx/model-file.ts';
import { lint, rulesOf } from '../quantized/lint/index.ts';
import type { LintFinding } from '../quantized/lint/rule.ts';

export interface LintResult {
  readonly path: string;
  readonly target: string;
  /** What the target demands. */
  readonly rules: readonly { readonly id: string; readonly text: string }[];
  /** Where the model breaks it; empty when it keeps every rule. */
  readonly findings: readonly LintFinding[];
}

/** @throws QdqError when the file cannot be read, and for an unknown target */
export function lintModel(path: string, options: { readonly target?: string } = {}): LintResult {
  const target = chosenTarget(options.target);
  const file = loadModel(path);
  try {
    const model = modelFromProto(file.proto, file.dir);
    return { path, target: target.name, rules: rulesOf(target), findings: lint(model, target) };
  } finally {
    file.close();
  }
}
