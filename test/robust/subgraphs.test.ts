/** Bodies of If, Loop and Scan: fused, calibrated through the outer run, quantized, and run by onnxruntime. */
import { describe, expect, it } from 'vitest';
import { body, buildProto, f32, i64, node, scalar, type GraphSpec, type ModelSpec } from '../support/build.ts';
import type { Feeds } from '../quantized/support.ts';
import { int8Nodes, through } from './support.ts';

const image = (seed: number): Feeds[string] => ({
  type: 'float32',
  dims: [1, 4, 6, 6],
  data: Float32Array.from({ length: 144 }, (_, i) => Math.sin(i * 1.7 + seed)),
});
const flag = (value: boolean): Feeds[string] => ({ type: 'bool', dims: [], data: Uint8Array.of(Number(value)) });
const weights = (seed: number) =>
  f32(
    [4, 4, 1, 1],
    Array.from({ length: 16 }, (_, i) => Math.sin(i * 2.3 + seed)),
  );

/** Two branches that use the same names for different things; the outer convolution feeds both. */
function branches(more: Partial<ModelSpec> = {}): ModelSpec {
  const then: GraphSpec = {
    initializers: { w: weights(1), b: f32([4], [0.1, -0.2, 0.3, 0]) },
    nodes: [
      node('Conv', ['o', 'w', 'b'], ['c'], {}, { name: 'then_conv' }),
      node('Relu', ['c'], ['r'], {}, { name: 'then_relu' }),
      node('Conv', ['r', 'w'], ['z'], {}, { name: 'then_last' }),
    ],
    outputs: ['z'],
  };
  const other: GraphSpec = {
    initializers: { w: weights(5) },
    nodes: [
      node('Conv', ['o', 'w'], ['c'], {}, { name: 'else_conv' }),
      node('Softplus', ['c'], ['z'], {}, { name: 'else_tanh' }),
    ],
    outputs: ['z'],
  };
  return {
    inputs: { x: [1, 4, 6, 6], which: { type: 'bool', dims: [] } },
    initializers: { w0: weights(3) },
    nodes: [
      node('Conv', ['x', 'w0'], ['o'], {}, { name: 'outer' }),
      node('If', ['which'], ['y'], { then_branch: body(then), else_branch: body(other) }, { name: 'if' }),
    ],
    outputs: { y: [1, 4, 6, 6] },
    ...more,
  };
}

const bothTaken: Feeds[] = [
  { x: image(0), which: flag(true) },
  { x: image(1), which: flag(false) },
];

describe('branches of an If', () => {
  it('are quantized like the main graph, although they share names', async () => {
    const result = await through(buildProto(branches()), bothTaken);
    expect(int8Nodes(result.plan).sort()).toEqual(['else_conv', 'outer', 'then_conv', 'then_last']);
    expect(result.float).toEqual({ if: 'qdq has no int8 form of If', else_tanh: 'qdq has no int8 form of Softplus' });
    const names = [...result.fused.graph.graphs()].flatMap((graph) => [...graph.values.keys()]);
    expect(new Set(names).size).toBe(names.length);
    expect(result.executed.filter((type) => type === 'QLinearConv')).toHaveLength(4);
    expect(result.executed).not.toContain('Conv');
    expect(result.difference['y']).toBeLessThan(0.03);
  });

  it('get exactly the ranges that a run of the branch alone shows', async () => {
    const { ranges } = await through(buildProto(branches()), bothTaken);
    const flat = buildProto({
      inputs: { x: [1, 4, 6, 6] },
      initializers: { w0: weights(3), w: weights(1), b: f32([4], [0.1, -0.2, 0.3, 0]) },
      nodes: [
        node('Conv', ['x', 'w0'], ['o']),
        node('Conv', ['o', 'w', 'b'], ['c']),
        node('Relu', ['c'], ['r']),
        node('Conv', ['r', 'w'], ['z']),
      ],
      outputs: ['z'],
    });
    const alone = await through(flat, [{ x: image(0) }]);
    expect(ranges.get('r')).toEqual(alone.ranges.get('r'));
    expect(ranges.get('z')).toEqual(alone.ranges.get('z'));
  });

  it('stay float when no sample takes them, with that reason', async () => {
    const result = await through(buildProto(branches()), [{ x: image(0), which: flag(true) }]);
    expect(int8Nodes(result.plan).sort()).toEqual(['outer', 'then_conv', 'then_last']);
    expect(result.float['else_conv']).toBe(
      "tensor 'c_1' was zero, empty or never computed with every sample: it has no range",
    );
    expect(result.difference['y']).toBeLessThan(0.03);
  });

  it('are observed through nested Ifs', async () => {
    const inner = branches();
    const nested: ModelSpec = {
      inputs: { x: [1, 4, 6, 6], which: { type: 'bool', dims: [] }, outer: { type: 'bool', dims: [] } },
      nodes: [
        node('If', ['outer'], ['v'], {
          then_branch: body({ initializers: inner.initializers!, nodes: inner.nodes, outputs: ['y'] }),
          else_branch: body({ nodes: [node('Neg', ['x'], ['y'])], outputs: ['y'] }),
        }),
      ],
      outputs: { v: [1, 4, 6, 6] },
    };
    const samples = [true, false].flatMap((outer) => bothTaken.map((feeds) => ({ ...feeds, outer: flag(outer) })));
    const result = await through(buildProto(nested), samples);
    expect(int8Nodes(result.plan).sort()).toEqual(['else_conv', 'outer', 'then_conv', 'then_last']);
    const flat = await through(buildProto(branches()), bothTaken);
    expect([...result.ranges.values()]).toEqual([...flat.ranges.values()]);
    expect(result.difference['v']).toBeLessThan(0.03);
  });

  it('share a weight of the outer graph', async () => {
    const conv = (name: string): GraphSpec => ({
      nodes: [node('Conv', ['o', 'w0'], ['z'], {}, { name })],
      outputs: ['z'],
    });
    const spec = branches();
    const [outer, choice] = spec.nodes;
    const shared = {
      ...spec,
      nodes: [
        outer!,
        node(
          'If',
          ['which'],
          ['y'],
          { then_branch: body(conv('a')), else_branch: body(conv('b')) },
          { name: choice!.name! },
        ),
      ],
    };
    const result = await through(buildProto(shared), bothTaken);
    expect(result.plan.weights).toHaveLength(1);
    expect(result.executed).not.toContain('Conv');
    expect(result.difference['y']).toBeLessThan(0.03);
  });
});

describe('bodies of loops', () => {
  /** x ← relu(conv(x)) three times. */
  const loop = (trips: number): ModelSpec => ({
    inputs: { x: [1, 4, 6, 6] },
    initializers: { trips: scalar('int64', trips), go: scalar('bool', 1), w: weights(2) },
    nodes: [
      node(
        'Loop',
        ['trips', 'go', 'x'],
        ['y', 'all'],
        {
          body: body({
            inputs: { i: { type: 'int64', dims: [] }, more: { type: 'bool', dims: [] }, v: [1, 4, 6, 6] },
            nodes: [
              node('Identity', ['more'], ['go_on']),
              node('Conv', ['v', 'w'], ['c'], {}, { name: 'conv' }),
              node('Relu', ['c'], ['r'], {}, { name: 'relu' }),
              node('Identity', ['r'], ['each']),
            ],
            outputs: ['go_on', 'r', 'each'],
          }),
        },
        { name: 'loop' },
      ),
    ],
    outputs: ['y', 'all'],
  });

  it('Loop: the range covers every iteration', async () => {
    const result = await through(buildProto(loop(3)), [{ x: image(0) }]);
    expect(int8Nodes(result.plan)).toEqual(['conv']);
    const unrolled = buildProto({
      inputs: { x: [1, 4, 6, 6] },
      initializers: { w: weights(2) },
      nodes: ['x', 'a', 'b'].flatMap((from, k) => [
        node('Conv', [from, 'w'], [`c${k}`]),
        node('Relu', [`c${k}`], ['abd'[k]!]),
      ]),
      outputs: ['d'],
    });
    const alone = await through(unrolled, [{ x: image(0) }]);
    const union = (names: string[]) => ({
      min: Math.min(...names.map((name) => alone.ranges.get(name)!.min)),
      max: Math.max(...names.map((name) => alone.ranges.get(name)!.max)),
    });
    expect(result.ranges.get('v')).toEqual(union(['x', 'a', 'b']));
    expect(result.ranges.get('r')).toEqual(union(['a', 'b', 'd']));
    expect(result.executed).toContain('QLinearConv');
    expect(result.difference['y']).toBeLessThan(0.05);
  });

  it('Loop: no iteration, no range', async () => {
    const result = through(buildProto(loop(0)), [{ x: image(0) }]);
    await expect(result).rejects.toMatchObject({ code: 'PLAN_NOTHING' });
  });

  it('Scan, with axes for its outputs', async () => {
    const scan: ModelSpec = {
      inputs: { x: [5, 1, 4, 6, 6] },
      initializers: { w: weights(2), start: f32([1, 4, 6, 6], new Float32Array(144)) },
      nodes: [
        node('Scan', ['start', 'x'], ['last', 'all'], {
          num_scan_inputs: 1,
          scan_output_axes: [1],
          scan_output_directions: [1],
          body: body({
            inputs: { sum: [1, 4, 6, 6], v: [1, 4, 6, 6] },
            nodes: [
              node('Conv', ['v', 'w'], ['c'], {}, { name: 'conv' }),
              node('Add', ['sum', 'c'], ['s'], {}, { name: 'add' }),
              node('Identity', ['c'], ['each']),
            ],
            outputs: ['s', 'each'],
          }),
        }),
      ],
      outputs: ['last', 'all'],
    };
    const data = Float32Array.from({ length: 5 * 144 }, (_, i) => Math.sin(i * 0.7) * (1 + i / 144));
    const result = await through(buildProto(scan), [{ x: { type: 'float32', dims: [5, 1, 4, 6, 6], data } }]);
    expect(int8Nodes(result.plan)).toEqual(['conv']);
    expect(result.ranges.get('v')).toEqual({ min: Math.min(...data), max: Math.max(...data) });
    expect(result.difference['all']).toBeLessThan(0.03);
  });
});

describe('values in a body that are not finite', () => {
  it('name the tensor inside', async () => {
    const spec: ModelSpec = {
      inputs: { x: [1, 4, 6, 6], which: { type: 'bool', dims: [] } },
      initializers: { w: weights(1), axes: i64([1]) },
      nodes: [
        node('If', ['which'], ['y'], {
          then_branch: body({
            nodes: [
              node('Sqrt', ['x'], ['root'], {}, { name: 'root' }),
              node('ReduceMax', ['root'], ['top'], { axes: [1] }),
              node('Concat', ['top', 'top', 'top', 'top'], ['four'], { axis: 1 }),
              node('Conv', ['four', 'w'], ['z']),
            ],
            outputs: ['z'],
          }),
          else_branch: body({ nodes: [node('Conv', ['x', 'w'], ['z'])], outputs: ['z'] }),
        }),
      ],
      outputs: ['y'],
    };
    await expect(through(buildProto(spec), bothTaken)).rejects.toMatchObject({
      code: 'CALIBRATE_NAN',
      message: "tensor 'root', made by node 'root', holds NaN for sample 's0'",
    });
  });

  it('infinity too, for an observed tensor', async () => {
    const spec: ModelSpec = {
      inputs: { x: [1, 4, 6, 6], which: { type: 'bool', dims: [] } },
      initializers: { w: weights(1) },
      nodes: [
        node('If', ['which'], ['y'], {
          then_branch: body({
            nodes: [
              node('Sub', ['x', 'x'], ['zero']),
              node('Reciprocal', ['zero'], ['inverse'], {}, { name: 'inverse' }),
              node('Conv', ['inverse', 'w'], ['c']),
              node('Identity', ['c'], ['z']),
            ],
            outputs: ['z'],
          }),
          else_branch: body({ nodes: [node('Conv', ['x', 'w'], ['z'])], outputs: ['z'] }),
        }),
      ],
      outputs: ['y'],
    };
    const finite = weights(1).data as Float32Array;
    const positive = { ...spec, initializers: { w: f32([4, 4, 1, 1], finite.map(Math.abs)) } };
    await expect(through(buildProto(positive), bothTaken.toReversed())).rejects.toMatchObject({
      code: 'CALIBRATE_INFINITY',
      message: "tensor 'inverse', made by node 'inverse', holds infinity for sample 's1'",
    });
  });
});
