import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import type { Model } from '../../src/graph/model.ts';
import { bypass, forward } from '../../src/graph/rewrite.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import { removeDead } from '../../src/graph/walk.ts';
import { decodeModel, encodeModel } from '../../src/onnx/model-file.ts';
import { Tensor } from '../../src/onnx/tensor.ts';
import { body, buildModel, f32, node, type ModelSpec } from '../support/build.ts';

const branch = (output: string, input: string) =>
  body({
    outputs: [output],
    nodes: [node('Neg', [input], [`${output}0`]), node('Add', [`${output}0`, 'r'], [output])],
  });

const spec: ModelSpec = {
  inputs: { x: [2], c: { type: 'bool', dims: [] } },
  outputs: { y: [2], z: [2] },
  initializers: { k: f32([2]), l: f32([2]) },
  nodes: [
    node('Relu', ['x'], ['r']),
    node('Add', ['r', 'k'], ['a']),
    node('Mul', ['a', 'a'], ['m']),
    node('If', ['c'], ['i'], { then_branch: branch('t', 'a'), else_branch: branch('e', 'l') }),
    node('Sub', ['i', 'm'], ['y']),
    node('Identity', ['m'], ['z']),
  ],
};

/** One random edit: every public way to change a graph. `pick` chooses deterministically among candidates. */
const edits: Record<string, (model: Model, pick: (n: number) => number) => void> = {
  insertAfter(model, pick) {
    const target = nodeAt(model, pick);
    const output = target.output()!;
    const made = output.graph.makeNode('Abs', [output], { name: 'inserted' });
    output.graph.insertAfter(made, target);
    // Later readers move over; the new node itself goes on reading the old value.
    for (const user of [...output.users.keys()]) {
      if (user === made) continue;
      user.inputs.forEach((value, index) => value === output && user.setInput(index, made.output()!));
    }
  },
  insertBefore(model, pick) {
    const target = nodeAt(model, pick);
    const input = target.input(0);
    if (!input) return;
    const made = target.graph!.insertBefore(target.graph!.makeNode('Abs', [input]), target);
    target.setInput(0, made.output()!);
  },
  bypass(model, pick) {
    const target = nodeAt(model, pick);
    if (target.input(0) && target.outputs.length === 1) bypass(target, target.input(0)!);
  },
  constant(model, pick) {
    const target = nodeAt(model, pick);
    const tensor = Tensor.of('k', 'float32', [2], Float32Array.of(1, 2));
    if (!target.is('If') && target.inputs.length > 0)
      target.setInput(pick(target.inputs.length), target.graph!.addInitializer(tensor));
  },
  rename(model, pick) {
    const values = [...model.graph.values.values()].filter((value) => !value.isInput && !value.isOutput);
    if (values.length > 0) model.graph.rename(values[pick(values.length)]!, 'k');
  },
  removeDead(model) {
    removeDead(model.graph);
  },
  truncate(model, pick) {
    const target = nodeAt(model, pick);
    if (target.inputs.length > 1) target.truncateInputs(1);
  },
};

function nodeAt(model: Model, pick: (n: number) => number) {
  const nodes = [...model.allNodes()];
  return nodes[pick(nodes.length)]!;
}

describe('random rewriting', () => {
  it('keeps every invariant, the outputs, and the way through a file', () => {
    const step = fc.tuple(fc.constantFrom(...Object.keys(edits)), fc.nat(), fc.nat());
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const model = buildModel(spec);
        for (const [name, first, second] of steps) {
          const numbers = [first, second];
          edits[name]!(model, (n) => (numbers.shift() ?? 0) % n);
          checkModel(model);
        }
        expect(model.graph.outputs.map((value) => value.name)).toEqual(['y', 'z']);
        const bytes = encodeModel(modelToProto(model));
        const again = modelFromProto(decodeModel(bytes));
        checkModel(again);
        expect(Buffer.compare(encodeModel(modelToProto(again)), bytes)).toBe(0);
        expect([...again.allNodes()].map((each) => each.label)).toEqual(
          [...model.allNodes()].map((each) => each.label),
        );
      }),
      { numRuns: 200 },
    );
  });
});

describe('forward', () => {
  it('hands name and declaration of a graph output to the replacement', () => {
    const model = buildModel(spec);
    const { values } = model.graph;
    const [z, m] = [values.get('z')!, values.get('m')!];
    expect(forward(z, m)).toBe(true);
    expect([m.name, m.dims, z.name, z.useCount]).toEqual(['z', [2], 'm', 0]);
    expect(model.graph.outputs[1]).toBe(m);
    expect(values.get('y')!.producer!.input(1)).toBe(m);
  });

  it.each([
    ['a graph input', 'x'],
    ['a constant', 'k'],
    ['another graph output', 'y'],
  ])('refuses %s and changes nothing', (_, name) => {
    const model = buildModel(spec);
    const before = encodeModel(modelToProto(model));
    expect(forward(model.graph.values.get('z')!, model.graph.values.get(name)!)).toBe(false);
    expect(Buffer.compare(encodeModel(modelToProto(model)), before)).toBe(0);
  });
});

describe('names', () => {
  it('are unique over bodies too, and thousands of one stem are found at once', () => {
    const model = buildModel(spec);
    expect(model.graph.names.unique('t0')).toBe('t0_1');
    const names = Array.from({ length: 50_000 }, () => model.graph.names.unique('w'));
    expect(new Set(names).size).toBe(50_000);
    expect([names[0], names[1], names.at(-1)]).toEqual(['w', 'w_1', 'w_49999']);
  });

  it('do not collide with a suffix that was taken before', () => {
    const { names } = buildModel(spec).graph;
    names.reserve('w_2');
    expect(['w', 'w', 'w'].map((base) => names.unique(base))).toEqual(['w', 'w_1', 'w_3']);
  });
});
