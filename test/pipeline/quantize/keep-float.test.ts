/**
 * What --exclude names runs in float: every operator that qdq knows, between int8 neighbours, in several surroundings. What really
 * runs is read from the graph that onnxruntime makes, here by the type of what the node reads and writes.
 */
import { describe, expect, it } from 'vitest';
import { executedModel } from '../../../src/compare/executed.ts';
import { drawnNodes } from '../../../src/compare/placement.ts';
import { elementTypes, isLowBit } from '../../../src/graph/element-types.ts';
import type { Model } from '../../../src/graph/model.ts';
import { bypass } from '../../../src/graph/rewrite.ts';
import type { NodeProto } from '../../../src/onnx/messages.ts';
import { keepPlannedFloat } from '../../../src/pipeline/quantize/keep-float.ts';
import { observedTensors } from '../../../src/quantizable/plan.ts';
import { emitQdq } from '../../../src/quantized/qdq.ts';
import { lowerToQOperators } from '../../../src/quantized/qoperator/qoperator.ts';
import { body, buildModel, constant, f32, i64, node, scalar, type GraphSpec } from '../../support/build.ts';
import { build, cases, x, type Case } from '../../quantized/operator-cases.ts';
import { planFor, quantize } from '../../quantized/support.ts';

/** Names of the nodes, as written, that work on codes. */
async function onCodes(model: Model): Promise<string[]> {
  const executed = await executedModel(model, model, 'the model');
  const types = elementTypes(executed);
  return [...executed.allNodes()]
    .filter((each) => !each.is('QuantizeLinear', 'DequantizeLinear'))
    .filter((each) => [...each.inputs, ...each.outputs].some((value) => value && isLowBit(types.get(value))))
    .map((each) => each.name.replace(/(_token_\d+)+$/, ''));
}

async function excluded(
  model: Model,
  names: string[],
  qoperator = false,
): Promise<{ int8: string[]; warnings: string[] }> {
  const plan = planFor(model, {}, undefined, undefined, names);
  const { model: quantized } = await quantize(model, x, plan);
  if (qoperator) lowerToQOperators(quantized);
  const warnings = await keepPlannedFloat(quantized, plan, 'the model');
  return { int8: await onCodes(quantized), warnings };
}

const has = ({ nodes }: Case, name: string): boolean => nodes.some((each) => each.input!.includes(name));
const perm = { perm: [0, 1, 3, 2] };
const turned = (from: string, to: string): NodeProto => node('Transpose', [from], [to], perm, { name: `turn ${to}` });

/** The nodes of the case, reading and writing other names. */
function renamed({ nodes }: Case, names: Readonly<Record<string, string>>): NodeProto[] {
  const called = (name: string): string => names[name] ?? name;
  return nodes.map((each) => ({ ...each, input: each.input!.map(called), output: each.output!.map(called) }));
}

const surroundings: Record<string, (example: Case) => Case> = {
  'between int8 neighbours': (example) => example,
  'with what only moves on both sides': (example) => ({
    ...example,
    nodes: [
      ...['a', 'b', 's'].filter((name) => has(example, name)).map((name) => turned(name, `t${name}`)),
      ...renamed(example, { a: 'ta', b: 'tb', s: 'ts', z: 'tz' }),
      turned('tz', 'z'),
    ],
  }),
  'with a second reader of what it reads': (example) => ({
    ...example,
    nodes: [...example.nodes, node('Conv', ['a', 'wa2'], ['z2'])],
    initializers: { ...example.initializers, wa2: f32([4, 8, 1, 1]) },
    outputs: ['z2'],
  }),
  'with a second reader of its result': (example) => ({
    ...example,
    nodes: [...example.nodes, node('Conv', ['z', 'wz2'], ['z2'])],
    initializers: { ...example.initializers, wz2: f32([4, example.channels ?? 8, 1, 1]) },
    outputs: ['z2'],
  }),
  'with a float reader of its result': (example) => ({
    ...example,
    nodes: [...example.nodes, node('Erf', ['z'], ['z2'])],
    outputs: ['z2'],
  }),
  'with a result that is an output too': (example) => ({ ...example, outputs: ['z'] }),
};

describe.each(Object.entries(surroundings))('%s', (title, around) => {
  const forms = title === 'between int8 neighbours' ? [false, true] : [false];
  for (const [name, example] of Object.entries(cases)) {
    if ((example.opset ?? 17) < 13 || (example.island && forms.length === 1)) continue;
    it.each(forms)(`${name} (qoperator: %s)`, async (qoperator) => {
      const own = example.nodes.map((each) => each.name!);
      const { int8, warnings } = await excluded(build(around(example)), own, qoperator);
      expect(warnings).toEqual([]);
      expect(int8.filter((each) => own.includes(each))).toEqual([]);
    });
  }
});

/** A body that reads a and w of the graph around it: int8 Conv → kept → int8 Conv. */
const inner = (kept: NodeProto): GraphSpec => ({
  outputs: ['r'],
  initializers: { w1: f32([8, 8, 1, 1]), w3: f32([8, 8, 1, 1]), w2: f32([8, 8, 1, 1]) },
  nodes: [node('Conv', ['a', 'w1'], ['p']), kept, node('Conv', ['q', 'w3'], ['r'])],
});

it.each([
  node('Conv', ['p', 'w2'], ['q'], {}, { name: 'kept' }),
  node('Add', ['p', 'p'], ['q'], {}, { name: 'kept' }),
  node('MaxPool', ['p'], ['q'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, { name: 'kept' }),
])('in the body of an If: $opType', async (kept) => {
  const model = buildModel({
    inputs: { x: [1, 3, 6, 6], c: { type: 'bool', dims: [] } },
    outputs: ['y'],
    initializers: { wa: f32([8, 3, 1, 1]) },
    nodes: [
      node('Conv', ['x', 'wa'], ['a']),
      node('If', ['c'], ['y'], {
        then_branch: body(inner(kept)),
        else_branch: body({ outputs: ['e'], nodes: [node('Relu', ['a'], ['e'])] }),
      }),
    ],
  });
  const plan = planFor(model, {}, undefined, undefined, ['kept']);
  const ranges = new Map(observedTensors(plan).map((name) => [name, { min: -3, max: 3 }]));
  // Without barriers, as a form would be in which none were put.
  const bare = emitQdq(model, { ...plan, float: [] }, ranges).model;
  for (const each of [...bare.allNodes()]) if (each.is('Sum')) bypass(each, each.input(0)!);
  expect(await onCodes(bare)).toContain('kept');
  expect(await keepPlannedFloat(bare, plan, 'the model')).toEqual([]);
  expect(await onCodes(bare)).not.toContain('kept');
  expect((await onCodes(bare)).length).toBeGreaterThan(1);
});

it('finds weights that onnxruntime rounds although the node runs in float, since its result is an output too', async () => {
  const model = build({
    nodes: [node('Conv', ['a', 'w'], ['z'], {}, { name: 'kept' })],
    initializers: { w: f32([8, 8, 1, 1]) },
    outputs: ['z'],
  });
  const plan = planFor(model, {}, undefined, undefined, ['kept']);
  const { model: quantized } = await quantize(model, x, plan);
  for (const each of [...quantized.allNodes()]) if (each.is('Sum')) bypass(each, each.input(0)!);
  const kept = [...quantized.allNodes()].find(({ name }) => name === 'kept')!;
  const floats = new Set([kept]);
  expect(await drawnNodes(quantized, floats, floats, 'the model')).toEqual([
    { node: kept, as: 'weights', writesFloat: false },
  ]);
  expect(await keepPlannedFloat(quantized, plan, 'the model')).toEqual([]);
  expect(await drawnNodes(quantized, floats, floats, 'the model')).toEqual([]);
});

it('lets onnxruntime move codes where no value changes, unless the user named the node', async () => {
  const model = build({
    nodes: [node('Reshape', ['a', 'shape'], ['t']), node('Erf', ['t'], ['z'])],
    initializers: { shape: i64([1, 8, 6, 6]) },
  });
  const plan = planFor(model);
  const { model: quantized } = await quantize(model, x, plan);
  expect(await keepPlannedFloat(quantized, plan, 'the model')).toEqual([]);
  expect([...quantized.allNodes()].filter((each) => each.is('Sum'))).toEqual([]);
});

it('warns of a node that no barrier keeps float', async () => {
  const codes = (name: string, dims: number[]) => ({ [name]: constant('uint8', dims, Array(8).fill(7)) });
  const model = buildModel({
    domains: { 'com.microsoft': 1 },
    inputs: { x: [1, 8] },
    outputs: ['y'],
    initializers: { ...codes('b', [1, 8]), s: scalar('float32', 0.1), zero: scalar('uint8', 128) },
    nodes: [
      node('QuantizeLinear', ['x', 's', 'zero'], ['q']),
      node(
        'QLinearAdd',
        ['q', 's', 'zero', 'b', 's', 'zero', 's', 'zero'],
        ['sum'],
        {},
        { name: 'add', domain: 'com.microsoft' },
      ),
      node('DequantizeLinear', ['sum', 's', 'zero'], ['y']),
    ],
  });
  const float = [{ node: 'add', op: 'QLinearAdd', reason: 'of course', tensor: 'sum' }];
  expect(await keepPlannedFloat(model, { ...planFor(build(cases['Add']!)), float }, 'the model')).toEqual([
    "'add' was left float (of course), but onnxruntime runs it in int8, as QLinearAdd, and no barrier keeps it from that",
  ]);
});
