/** `fuse` without samples: inputs are generated, whatever the model leaves open, or the result is said to be unproven. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fuseModel, type FuseResult } from '../../../src/index.ts';
import { encodeModel } from '../../../src/onnx/model-file.ts';
import { buildProto, f32, i64, node, type ModelSpec } from '../../support/build.ts';

const folder = mkdtempSync(join(tmpdir(), 'qdq-fuse-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fuse(name: string, spec: ModelSpec): Promise<FuseResult> {
  const model = join(folder, `${name}.onnx`);
  writeFileSync(model, encodeModel(buildProto(spec)));
  return fuseModel({ model, output: join(folder, `${name}.fused.onnx`) });
}

const identity = node('Identity', ['a'], ['b']);

describe('fuse without data', () => {
  it('finds sizes with which a model of open dimensions runs', async () => {
    const result = await fuse('open', {
      inputs: { x: ['batch', 'time'], state: [2, 'batch', 3] },
      initializers: { w: f32([1024, 3]), shape: i64([-1, 1024]) },
      nodes: [node('Gemm', ['x', 'w'], ['a']), identity, node('Add', ['b', 'state'], ['y'])],
      outputs: ['y'],
    });
    expect(result.warnings).toEqual(["inputs were generated with 1024 for the open dimensions ('time')"]);
    expect(result).toMatchObject({ samples: 8, synthetic: true, worstDifference: 0 });
  });

  it('writes the model and says so when nothing can be generated', async () => {
    // Only sequences of seven run, which nobody tries.
    const result = await fuse('sevens', {
      inputs: { x: ['n', 's'] },
      initializers: { w: f32([7, 3]) },
      nodes: [node('Tanh', ['x'], ['a']), identity, node('MatMul', ['b', 'w'], ['y'])],
      outputs: ['y'],
    });
    expect(result.samples).toBe(0);
    expect(result).not.toHaveProperty('worstDifference');
    expect(result.warnings).toEqual([expect.stringMatching(/^EQUALITY WAS NOT PROVEN, .*--data or --reader$/)]);
    expect(existsSync(result.outputPath)).toBe(true);
    expect(result.nodesAfter).toBe(2);
  });

  it('runs the original too when only its node names keep onnxruntime from it', async () => {
    const twin = { name: 'twin' };
    const result = await fuse('twins', {
      inputs: { x: [2] },
      nodes: [node('Tanh', ['x'], ['a'], {}, twin), identity, node('Tanh', ['b'], ['y'], {}, twin)],
      outputs: ['y'],
    });
    expect(result).toMatchObject({ nodesAfter: 2, worstDifference: 0, warnings: [] });
  });

  it('accepts what rounding explains in a model that makes much of it, and says so', async () => {
    // sin(10^5 x): one unit in the last place of x is as much as the sum of two constants makes of it.
    const result = await fuse('unsteady', {
      inputs: { x: [64] },
      initializers: { big: f32([1], [3e5]), more: f32([1], [1.7]) },
      nodes: [node('Mul', ['x', 'big'], ['a']), node('Mul', ['a', 'more'], ['b']), node('Sin', ['b'], ['y'])],
      outputs: ['y'],
    });
    expect(result.nodesAfter).toBe(2);
    expect(result.worstDifference).toBeGreaterThan(result.bound);
    expect(result.warnings).toEqual([
      expect.stringMatching(/^output 'y' changes by .* the model makes much of rounding$/),
    ]);
  });

  it('holds texts against each other', async () => {
    const spec = (last: readonly string[]): ModelSpec => ({
      domains: { 'ai.onnx.ml': 3 },
      inputs: { x: ['n', 2] },
      nodes: [
        node('Tanh', ['x'], ['a']),
        identity,
        node('ArgMax', ['b'], ['at'], { axis: 1, keepdims: 0 }),
        node('LabelEncoder', ['at'], ['word'], { keys_int64s: [0, 1], values_strings: last }, { domain: 'ai.onnx.ml' }),
      ],
      outputs: { word: { type: 'string', dims: ['n'] } },
    });
    expect(await fuse('words', spec(['no', 'yes']))).toMatchObject({ nodesAfter: 3, samples: 8, warnings: [] });
  });

  it('does not take the last bits of a probability that is nearly 0 for a difference', async () => {
    // The logits are about -17, where onnxruntime's Sigmoid has steps of some hundredths of its result.
    const result = await fuse('unlikely', {
      inputs: { x: [1, 8, 4, 4] },
      initializers: {
        w: f32([8, 8, 3, 3]),
        scale: f32([8]),
        b: f32(
          [8],
          Float32Array.from({ length: 8 }, () => -17),
        ),
        mean: f32([8]),
        variance: f32(
          [8],
          Float32Array.from({ length: 8 }, (_, k) => 1 + k / 3),
        ),
      },
      nodes: [
        node('Conv', ['x', 'w'], ['a']),
        node('BatchNormalization', ['a', 'scale', 'b', 'mean', 'variance'], ['n']),
        node('Sigmoid', ['n'], ['y']),
      ],
      outputs: ['y'],
    });
    expect(result.nodesAfter).toBe(2);
    expect(result.worstDifference).toBeLessThan(1e-6);
  });
});
