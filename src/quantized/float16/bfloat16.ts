/**
 * Half the size by storage alone: constants in bfloat16, a Cast behind each, arithmetic in float32. onnxruntime folds the casts when
 * it loads the model, so nothing is slower. (It has no bfloat16 arithmetic on CPU.) The exponent is that of float32: nothing
 * overflows; 8 bits of mantissa are kept.
 */
import { copyModel } from '../../graph/from-proto.ts';
import type { Model } from '../../graph/model.ts';
import type { Value } from '../../graph/value.ts';
import { removeDead, sortNodes } from '../../graph/walk.ts';
import { planErrors } from '../../errors/quantizable.ts';
import { dataType } from '../../onnx/data-types.ts';
import { float32ToBfloat16, fromFloat32 } from '../../onnx/narrow-types.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { loneRegion, type Bfloat16Plan } from '../../quantizable/plan.ts';
import type { PlanRequest } from '../../quantizable/planner.ts';
import { selectNodes, type NodeSelection } from '../../quantizable/selection.ts';
import type { ConfiguredFormat, Format, Quantized } from '../format.ts';

/** Smaller constants (biases, guards, shapes) keep all their bits: they weigh nothing. */
const leastSize = 256;

export const bfloat16: Format = {
  name: 'bf16',
  summary: 'constants stored in bfloat16, arithmetic in float32',
  configure: (): ConfiguredFormat<Bfloat16Plan> => ({
    format: 'bf16',
    description: 'constants stored in bfloat16',
    settings: {},
    leastOpset: 13,
    keepsTied: true,
    plan,
    refine: (_model, _request, made) => made,
    emit,
  }),
};

function plan(model: Model, request: PlanRequest): Bfloat16Plan {
  const stored = storedConstants(model, selectNodes(model, request));
  if (stored.length === 0) throw planErrors.nothing([`no constant of ${leastSize} float32 elements or more`]);
  const { target, scheme } = request;
  const readers = new Set(stored.flatMap((value) => [...value.users.keys()]));
  return {
    kind: 'bfloat16',
    target: target.name,
    scheme,
    constants: stored.map(({ name }) => name),
    regions: [...readers].map((node) => loneRegion(node)),
    float: [...model.allNodes()]
      .filter((node) => !readers.has(node))
      .map((node) => ({ node: node.label, op: node.opType, reason: 'it reads no large float32 constant' })),
  };
}

function storedConstants(model: Model, selection: NodeSelection): Value[] {
  return [...model.graph.graphs()].flatMap((graph) =>
    [...graph.values.values()].filter(
      ({ constant, users, isOutput }) =>
        !isOutput &&
        constant?.type.name === 'float32' &&
        constant.size >= leastSize &&
        users.size > 0 &&
        [...users.keys()].every((node) => selection.reason(node) === undefined),
    ),
  );
}

function emit(source: Model, { constants }: Bfloat16Plan): Quantized {
  const model = copyModel(source);
  const wanted = new Set(constants);
  for (const graph of [...model.graph.graphs()]) {
    for (const value of [...graph.values.values()]) {
      if (!wanted.has(value.name)) continue;
      const tensor = value.constant!;
      const data = fromFloat32(tensor.floats(), float32ToBfloat16);
      const stored = graph.addInitializer(Tensor.of(`${value.name}_bfloat16`, 'bfloat16', [...tensor.dims], data));
      const cast = graph.prepend(
        graph.makeNode('Cast', [stored], { name: `${value.name}_Cast`, outputs: [`${value.name}_float32`] }),
      );
      cast.setInt('to', dataType('float32').code);
      graph.replaceUses(value, cast.output()!);
    }
  }
  removeDead(model.graph);
  sortNodes(model.graph);
  return { model, activations: new Map(), repaired: [], origins: new Map() };
}
