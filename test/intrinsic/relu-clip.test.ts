import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { f32, float, node, scalar, type Constant, type ModelSpec } from '../support/build.ts';
import { expectRefusal, fuseChecked } from './fuse.ts';

const samples = [-Infinity, -9, -4, -3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 4, 6, 9, Infinity, NaN];
const feeds = { x: f32([samples.length], samples) as TensorValue };

type Limits = readonly [number | undefined, number | undefined];

/** A chain of Relu (null) and Clip. */
function chain(steps: readonly (Limits | null)[], opset: number): ModelSpec {
  const initializers: Record<string, Constant> = {};
  const nodes = steps.map((limits, i) => {
    const [input, output] = [i === 0 ? 'x' : `t${i}`, i === steps.length - 1 ? 'y' : `t${i + 1}`];
    if (!limits) return node('Relu', [input], [output]);
    const [min, max] = limits;
    if (opset < 11) {
      return node('Clip', [input], [output], {
        ...(min === undefined ? {} : { min: float(min) }),
        ...(max === undefined ? {} : { max: float(max) }),
      });
    }
    if (min !== undefined) initializers[`min${i}`] = scalar('float32', min);
    if (max !== undefined) initializers[`max${i}`] = scalar('float32', max);
    return node(
      'Clip',
      [input, min === undefined ? '' : `min${i}`, ...(max === undefined ? [] : [`max${i}`])],
      [output],
    );
  });
  return { opset, inputs: { x: [samples.length] }, outputs: ['y'], initializers, nodes };
}

const limits = fc
  .tuple(fc.option(fc.integer({ min: -4, max: 4 }), { nil: undefined }), fc.integer({ min: 0, max: 4 }))
  .map(([min, width]): Limits => (width === 4 && min !== undefined ? [min, undefined] : [min, (min ?? -2) + width]));

describe('relu-clip', () => {
  it.each([10, 17])('makes one node of any chain (opset %i), bit for bit', async (opset) => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(limits), { minLength: 2, maxLength: 4 }), async (steps) => {
        const { ops, model } = await fuseChecked(chain(steps, opset), feeds);
        expect(ops).toHaveLength(1);
        expect([...model.graph.nodes()][0]!.output()!.name).toBe('y');
      }),
      { numRuns: 40 },
    );
  });

  it('turns Relu and Clip(-1, 6) into Clip(0, 6)', async () => {
    const { model, log } = await fuseChecked(chain([null, [-1, 6]], 17), feeds);
    const [clip] = model.graph.nodes();
    expect([1, 2].map((index) => clip!.constant(index)!.floats()[0])).toEqual([0, 6]);
    expect(log.applied[0]).toEqual({ pass: 'relu-clip', nodes: ['n_t1', 'n_y'], into: 'n_y' });
  });

  it('drops the second of two equal ones even when the first is read elsewhere', async () => {
    const spec = chain([null, null], 17);
    const { ops } = await fuseChecked(
      { ...spec, outputs: ['z'], nodes: [...spec.nodes, node('Add', ['t1', 'y'], ['z'])] },
      feeds,
    );
    expect(ops).toEqual(['Relu', 'Add']);
  });

  it('leaves what is read elsewhere, crossing limits, limits that are fed, and two graph outputs', async () => {
    const shared = chain([null, [1, 2]], 17);
    const more = { ...shared, outputs: ['y', 'z'], nodes: [...shared.nodes, node('Neg', ['t1'], ['z'])] };
    await expectRefusal(more, feeds, 'relu-clip', 'n_y', /'t1', the result of 'n_t1', is read elsewhere too/);
    await expectRefusal(chain([null, [2, 1]], 17), feeds, 'relu-clip', 'n_y', /limits of 'n_y' cross/);
    const fed: ModelSpec = {
      inputs: { x: [samples.length], min: [] },
      outputs: ['y'],
      nodes: [node('Relu', ['x'], ['t']), node('Clip', ['t', 'min'], ['y'])],
    };
    await expectRefusal(
      fed,
      { ...feeds, min: scalar('float32', 1) as TensorValue },
      'relu-clip',
      'n_y',
      /'min' of 'n_y' is not constant/,
    );
    await expectRefusal(
      { ...chain([null, null], 17), outputs: ['y', 't1'] },
      feeds,
      'relu-clip',
      'n_y',
      /'y' and 't1' are both needed/,
    );
  });
});
