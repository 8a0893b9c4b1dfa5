/** The stages on a model of opset 9: who upgrades it, to what, and who says so. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import { calibrateModel, fuseModel, quantizeModel } from '../../src/index.ts';
import { encodeModel, loadModel } from '../../src/onnx/model-file.ts';
import { buildProto, f32, node } from '../support/build.ts';

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
