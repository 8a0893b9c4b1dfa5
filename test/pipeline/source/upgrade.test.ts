/** The stages on a model of opset 9: who upgrades it, to what, and who says so. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSession } from '../../../src/backends/session.ts';
import { calibrateModel, fuseModel, quantizeModel } from '../../../src/index.ts';
import type { NodeProto } from '../../../src/onnx/messages.ts';
import { encodeModel, loadModel } from '../../../src/onnx/model-file.ts';
import { buildProto, f32, node } from '../../support/build.ts';

const folder = mkdtempSync(join(tmpdir(), 'qdq-opset-'));
const inFolder = (name: string): string => join(folder, name);
const model = inFolder('model.onnx');
const common = { model, data: 'random', samples: 4, threads: 1 };

const opsetOf = (path: string): number => Number(loadModel(path).proto.opsetImport![0]!.version);

beforeAll(() => {
  const proto = buildProto({
    opset: 9,
    irVersion: 3,
    inputs: { x: [1, 3, 8, 8] },
    initializers: { w: f32([4, 3, 3, 3]), v: f32([4, 4, 3, 3]) },
    initializersAsInputs: ['w', 'v'],
    nodes: [
      node('Conv', ['x', 'w'], ['a']),
      node('Conv', ['a', 'v'], ['b']),
      node('GlobalAveragePool', ['b'], ['g']),
      node('Squeeze', ['g'], ['s'], { axes: [2, 3] }),
      node('Softmax', ['s'], ['y']),
    ],
    outputs: { y: [1, 4] },
  });
  writeFileSync(model, encodeModel(proto));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('an old model', () => {
  it('stays as old when it is only fused, unless asked otherwise', async () => {
    const output = inFolder('fused.onnx');
    const same = await fuseModel({ ...common, output });
    expect(opsetOf(output)).toBe(9);
    expect(same.warnings).toEqual([]);
    const upgraded = await fuseModel({ ...common, output, opset: 18 });
    expect(opsetOf(output)).toBe(18);
    expect(upgraded.warnings).toEqual(['upgraded from opset 9 to 18: 2 nodes adapted']);
    expect(upgraded.worstDifference).toBe(0);
  });

  it.each([
    ['per channel', {}, 13, 2],
    ['per tensor', { perTensor: true }, 10, 0],
    ['with 16 bits', { activationType: 'u16' }, 21, 2],
  ] as const)('is upgraded as far as the scheme needs: %s', async (_, flags, opset, adapted) => {
    const output = inFolder('int8.onnx');
    const { warnings } = await quantizeModel({ ...common, ...flags, output, format: 'qdq', report: false });
    expect(opsetOf(output)).toBe(opset);
    expect(warnings[0]).toBe(`upgraded from opset 9 to ${opset}: ${adapted} nodes adapted`);
    const session = await openSession(output);
    expect(session.outputs.map(({ name }) => name)).toEqual(['y']);
    await session.dispose();
  });

  it('gives ranges that serve every scheme', async () => {
    const state = inFolder('ranges.state');
    const { warnings } = await calibrateModel({ ...common, output: state });
    expect(warnings[0]).toBe('upgraded from opset 9 to 13: 2 nodes adapted');
    for (const perTensor of [false, true]) {
      const output = inFolder('from-state.onnx');
      await quantizeModel({ ...common, output, state, perTensor, report: false });
      expect(opsetOf(output)).toBe(perTensor ? 10 : 13);
    }
  });
});

/** A layer whose LayerNormalization stands in parts, and its Gelu too if wanted. */
function inParts(file: string, { gelu = false, more = [] as NodeProto[], opset = 12 } = {}): string {
  const path = inFolder(file);
  const proto = buildProto({
    opset,
    inputs: { x: [4, 16], ...(more.length > 0 && { image: [1, 1, 4, 4] }) },
    initializers: {
      ...{ scales: f32([4], [1, 1, 2, 2]), roi: f32([8]) },
      ...{ two: f32([], [2]), eps: f32([], [1e-5]), gain: f32([16]), shift: f32([16]), w: f32([16, 16]) },
      ...{ root: f32([], [Math.SQRT2]), one: f32([], [1]), half: f32([], [0.5]) },
    },
    nodes: [
      node('ReduceMean', ['x'], ['m'], { axes: [-1] }),
      node('Sub', ['x', 'm'], ['d']),
      node('Pow', ['d', 'two'], ['p']),
      node('ReduceMean', ['p'], ['v'], { axes: [-1] }),
      node('Add', ['v', 'eps'], ['e']),
      node('Sqrt', ['e'], ['s']),
      node('Div', ['d', 's'], ['q']),
      node('Mul', ['q', 'gain'], ['g']),
      node('Add', ['g', 'shift'], ['n']),
      node('MatMul', ['n', 'w'], [gelu ? 'h' : 'y']),
      ...(gelu
        ? [
            node('Div', ['h', 'root'], ['a']),
            node('Erf', ['a'], ['t']),
            node('Add', ['t', 'one'], ['u']),
            node('Mul', ['h', 'u'], ['k']),
            node('Mul', ['k', 'half'], ['y']),
          ]
        : []),
      ...more,
    ],
    outputs: { y: [4, 16], ...(more.length > 0 && { z: [1, 1, 8, 8] }) },
  });
  writeFileSync(path, encodeModel(proto));
  return path;
}

const operatorsOf = (path: string): string[] => loadModel(path).proto.graph!.node!.map(({ opType }) => opType!);

describe('operators that stand in parts', () => {
  it.each([
    ['LayerNormalization', {}, 17, ['LayerNormalization', 'MatMul']],
    ['Gelu', { gelu: true }, 20, ['LayerNormalization', 'MatMul', 'Gelu']],
  ] as const)('raise the opset to the least that has them all: %s', async (_, choice, opset, operators) => {
    const output = inFolder('whole.onnx');
    const { worstDifference } = await fuseModel({ ...common, model: inParts('parts.onnx', choice), output });
    expect(opsetOf(output)).toBe(opset);
    expect(operatorsOf(output)).toEqual(operators);
    expect(worstDifference).toBeLessThan(1e-5);
  });

  it('stay in parts beyond the opset asked for, and the reason says so', async () => {
    const output = inFolder('ceiling.onnx');
    const parts = inParts('parts.onnx', { gelu: true });
    const { refused } = await fuseModel({ ...common, model: parts, output, opset: 17 });
    expect(opsetOf(output)).toBe(17);
    expect(operatorsOf(output)).toContain('LayerNormalization');
    expect(refused).toContainEqual({
      pass: 'gelu',
      node: 'n_t',
      reason: 'Gelu needs opset 20, the model is opset 17: the newest wanted is 17',
      needsOpset: 20,
    });
  });

  it('stay in parts where another node cannot be upgraded, with a note', async () => {
    const resize = {
      mode: 'nearest',
      nearest_mode: 'ceil',
      coordinate_transformation_mode: 'tf_half_pixel_for_nn',
    };
    const more = [node('Resize', ['image', 'roi', 'scales'], ['z'], resize)];
    const path = inParts('blocked.onnx', { gelu: true, more });
    const output = inFolder('still-parts.onnx');
    const { warnings, refused } = await fuseModel({ ...common, model: path, output });
    expect(opsetOf(output)).toBe(12);
    const why = /node 'n_z' \(Resize\) cannot be upgraded from opset 12 to 13: no later Resize places pixels/;
    expect(warnings).toEqual([expect.stringMatching(why)]);
    expect(refused.filter(({ needsOpset }) => needsOpset !== undefined).map(({ pass }) => pass)).toEqual([
      'layer-norm',
      'gelu',
    ]);
    expect(refused.find(({ pass }) => pass === 'gelu')!.reason).toMatch(why);
  });

  it('are whole in int8 models, unless the target or the user wants an older opset', async () => {
    const parts = inParts('parts.onnx', { gelu: true });
    const quantized = { ...common, model: parts, output: inFolder('int8.onnx'), report: false as const };
    const opsetWith = async (more: object): Promise<number> => {
      await quantizeModel({ ...quantized, format: 'qdq', ...more });
      return opsetOf(quantized.output);
    };
    expect(await opsetWith({})).toBe(20);
    expect(await opsetWith({ opset: 15 })).toBe(15);
    expect(await opsetWith({ target: 'nnapi' })).toBe(12);
    await expect(opsetWith({ opset: 12 })).rejects.toMatchObject({ code: 'OPSET_TOO_LOW' });
  });

  it('have ranges in a state that quantizes the same model', async () => {
    const parts = inParts('parts.onnx', { gelu: true });
    const state = inFolder('parts.state');
    await calibrateModel({ ...common, model: parts, output: state });
    const output = inFolder('from-parts.onnx');
    await quantizeModel({ ...common, model: parts, output, state, report: false });
    expect(opsetOf(output)).toBe(20);
  });
});
