/** Takes the fake quantizers off: what is left is the float model, the teacher of its own fake-quantized form. */
import { modelFromProto } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import { forward } from '../graph/rewrite.ts';
import { modelToProto } from '../graph/to-proto.ts';
import { removeDead } from '../graph/walk.ts';
import { findFakeQuants } from './fake-quant.ts';

/** The given model is left as it is. */
export function withoutFakeQuants(source: Model): Model {
  const model = modelFromProto(modelToProto(source), source.dir);
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
