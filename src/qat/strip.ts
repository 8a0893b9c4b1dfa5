/** The teacher: the float model that is left when the fake quantizers are taken off, or another that has the same values inside. */
import { finetuneErrors } from '../errors/finetune.ts';
import { copyModel } from '../graph/copy.ts';
import type { Model } from '../graph/model.ts';
import { forward } from '../graph/rewrite.ts';
import { removeDead } from '../graph/walk.ts';
import { dataType } from '../onnx/data-types.ts';
import { findFakeQuants } from './fake-quant.ts';

/** The given model is left as it is. */
export function withoutFakeQuants(source: Model): Model {
  const model = copyModel(source);
  for (const { input, dequantize } of findFakeQuants(model)) {
    for (const node of dequantize) {
      const output = node.output()!;
      if (forward(output, input)) continue;
      // A graph output that is also an input or a constant keeps a node of its own.
      const copy = node.graph!.makeNode('Identity', [input], { outputs: [`${output.name}_float`] });
      node.graph!.insertAfter(copy, node);
      forward(output, copy.output()!);
    }
  }
  removeDead(model.graph);
  return model;
}

/**
 * Makes outputs of the values that a loss compares, by name.
 * @param path of the teacher's file, for errors
 * @throws QAT_TEACHER when it has no such value
 */
export function showInside(teacher: Model, names: Iterable<string>, path: string): void {
  for (const name of names) {
    const value = teacher.graph.values.get(name);
    if (!value?.producer) throw finetuneErrors.teacherActivation(path, name);
    if (value.isOutput) continue;
    value.setType(dataType('float32').code, value.dims);
    teacher.graph.addOutput(value);
  }
}
