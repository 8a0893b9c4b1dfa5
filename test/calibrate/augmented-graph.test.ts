/** The augmented graph against min and max computed in JavaScript from the fetched tensors. */
import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import { Counter } from '../../src/calibrate/kernels/counter.ts';
import { minmax } from '../../src/calibrate/observers/minmax.ts';
import { phasesOf } from '../../src/calibrate/element-positions.ts';
import { planProbes } from '../../src/calibrate/probes.ts';
import { setOutputs } from '../../src/calibrate/graph-outputs.ts';
import { copyModel } from '../../src/graph/from-proto.ts';
import { StatisticsRun } from '../../src/calibrate/statistics-run.ts';
import { statisticsReader } from '../../src/calibrate/statistics-reader.ts';
import { augmentGraph } from '../../src/calibrate/augmented-graph.ts';
import type { Model } from '../../src/graph/model.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import { encodeModel } from '../../src/onnx/model-file.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { buildModel, f32, i64, node, scalar } from '../support/build.ts';
import { mobilenet, quantizedActivations, resnet } from '../support/networks.ts';
import { floats } from './samples.ts';

type Feeds = Record<string, TensorValue>;

async function observe(model: Model, tensors: readonly string[], feeds: Feeds, traced = feeds) {
  const graph = augmentGraph(model, await planProbes(model, tensors, minmax, traced, {}));
  checkModel(graph.model);
  const session = await openSession(graph.model, { simulate: true });
  const results = await session.run(feeds);
  await session.dispose();
  const { values, suspect } = statisticsReader(graph, tensors, new Counter())(results);
  return { ranges: Array.from(values.min, (min, i) => [min, values.max[i]!]), suspect, graph };
}

/** Fetched without optimization and reduced here. */
async function expected(model: Model, tensors: readonly string[], feeds: Feeds): Promise<number[][]> {
  const copy = copyModel(model);
  setOutputs(
    copy.graph,
    tensors.map((name) => copy.graph.values.get(name)!),
  );
  const session = await openSession(copy, { level: 'disabled' });
  const results = await session.run(feeds, tensors);
  await session.dispose();
  return tensors.map((name) => {
    const data = results[name]!.data as Float32Array;
    return [data.reduce((a, b) => Math.min(a, b), Infinity), data.reduce((a, b) => Math.max(a, b), -Infinity)];
  });
}

describe('buildStatistics', () => {
  it.each([
    ['resnet', resnet({ blocks: [1, 1], width: 8, size: 32, classes: 10 })],
    ['mobilenet', mobilenet({ width: 0.25, size: 32, classes: 10 })],
  ])('equals min and max of the fetched tensors: %s', async (_, model) => {
    const before = encodeModel(modelToProto(model));
    const tensors = quantizedActivations(model);
    const feeds = { input: floats([2, 3, 32, 32], (i) => Math.sin(i * 1.37)) };
    const { ranges, suspect } = await observe(model, tensors, feeds);
    const reference = await expected(model, tensors, feeds);
    expect(suspect).toBeUndefined();
    tensors.forEach((tensor, i) => {
      const [min, max] = reference[i]!;
      const tolerance = 1e-5 * (max! - Math.min(0, min!));
      const known = model.graph.values.get(tensor)!.producer?.is('Relu', 'Clip');
      expect(Math.abs(ranges[i]![0]! - (known ? 0 : min!)), tensor).toBeLessThanOrEqual(tolerance);
      expect(Math.abs(ranges[i]![1]! - max!), tensor).toBeLessThanOrEqual(tolerance);
    });
    expect(encodeModel(modelToProto(model))).toEqual(before);
  });

  it.each([9, 13, 18, 21])(
    'takes every rank and float type, scalars and empty tensors, in operator set %i',
    async (opset) => {
      const model = buildModel({
        opset,
        inputs: { x: ['n', 2, 3, 4], e: ['m'], d: { type: 'float64', dims: [3] }, s: [] },
        initializers: { r1: i64([-1]), r3: i64([2, 3, -1]), r5: i64([1, 2, 3, 2, -1]) },
        nodes: [
          node('Reshape', ['x', 'r1'], ['one']),
          node('Reshape', ['x', 'r3'], ['three']),
          node('Reshape', ['x', 'r5'], ['five']),
          node('Cast', ['x'], ['half'], { to: 10 }),
          node('Neg', ['d'], ['minus']),
          node('Neg', ['s'], ['t']),
          node('Neg', ['e'], ['empty']),
        ],
        outputs: ['one', 'three', 'five', 'half', 'minus', 't', 'empty'],
      });
      const feeds: Feeds = {
        x: floats([1, 2, 3, 4], (i) => i - 4),
        e: floats([0], () => 0),
        d: { type: 'float64', dims: [3], data: Float64Array.of(1, 2, -3) },
        s: floats([], () => 5),
      };
      const tensors = ['one', 'three', 'five', 'half', 'minus', 't', 'empty', 'x', 'd'];
      const { ranges, suspect } = await observe(model, tensors, feeds);
      expect(suspect).toBeUndefined();
      const whole = [-4, 19];
      expect(ranges).toEqual([whole, whole, whole, whole, [-2, 3], [-5, -5], [Infinity, -Infinity], whole, [-3, 2]]);
    },
  );

  it('takes a tensor that is empty for one sample only', async () => {
    const model = buildModel({
      inputs: { x: ['n'] },
      initializers: { zero: scalar('float32', 0) },
      nodes: [node('Greater', ['x', 'zero'], ['p']), node('Compress', ['x', 'p'], ['y'])],
      outputs: ['y'],
    });
    const traced = { x: floats([2], () => 1) };
    expect((await observe(model, ['y'], { x: floats([2], () => -1) }, traced)).ranges).toEqual([[Infinity, -Infinity]]);
    expect((await observe(model, ['y'], { x: floats([2], (i) => i + 1) }, traced)).ranges).toEqual([[1, 2]]);
  });

  it.each(['sampled', 'all'] as const)('brings elements out beside the same statistics: %s', async (elements) => {
    const model = mobilenet({ width: 0.5, size: 160, classes: 10 });
    const tensors = quantizedActivations(model);
    const feeds = { input: floats([1, 3, 160, 160], (i) => Math.sin(i * 1.37)) };
    const graph = augmentGraph(model, await planProbes(model, tensors, minmax, feeds, {}, elements));
    checkModel(graph.model);
    expect(graph.elements.size).toBe(tensors.length);
    // Elements that are all there tell the statistics.
    expect(graph.output === undefined).toBe(elements === 'all');
    const session = await openSession(graph.model, { simulate: true });
    const phase = graph.phase === undefined ? {} : { [graph.phase]: phasesOf(['a'], 1) };
    const results = await session.run({ ...feeds, ...phase });
    await session.dispose();
    const { values, elements: taken } = statisticsReader(graph, tensors, new Counter())(results);
    const { ranges } = await observe(model, tensors, feeds);
    const sizes = tensors.map((tensor, i) => {
      const { data, rows } = taken[i]!;
      const [min, max] = ranges[i]!;
      const tolerance = 1e-5 * (max! - min!);
      expect(rows).toBe(1);
      expect(Math.abs(values.max[i]! - max!), tensor).toBeLessThanOrEqual(tolerance);
      expect(Math.abs(values.min[i]! - min!), tensor).toBeLessThanOrEqual(tolerance);
      for (const x of data) if (x < min! - tolerance || x > max! + tolerance) expect.fail(tensor);
      return data.length;
    });
    if (elements === 'sampled') expect(Math.max(...sizes)).toBeLessThanOrEqual(12_288);
    else expect(Math.max(...sizes)).toBeGreaterThan(12_288);
  });

  it('gives the same elements wherever they land, samples of other shapes and shapes that depend on the data included', async () => {
    const model = buildModel({
      inputs: { x: ['n', 3, 'h', 'w'] },
      initializers: {
        zero: scalar('float32', 0),
        flat: i64([-1]),
        w: f32(
          [4, 3, 3, 3],
          Array.from({ length: 108 }, (_, i) => Math.sin(i)),
        ),
      },
      nodes: [
        node('Conv', ['x', 'w'], ['conv']),
        node('Reshape', ['conv', 'flat'], ['line']),
        // What one of them gains the other loses: their lengths together are always the same.
        node('Greater', ['line', 'zero'], ['p']),
        node('Not', ['p'], ['q']),
        node('Compress', ['line', 'p'], ['above']),
        node('Compress', ['line', 'q'], ['below']),
      ],
      outputs: ['above', 'below'],
    });
    const names = ['x', 'conv', 'above', 'below'];
    const sample = (seed: number, side: number) => ({ x: floats([1, 3, side, side], (i) => Math.sin(i * i + seed)) });
    const first = sample(0, 12);
    const probes = await planProbes(model, names, minmax, first, {}, 'sampled');
    const plan = { model, probes, names, kept: [], byChannel: true, options: { simulate: true } };
    for (const later of [sample(5, 12), sample(5, 200), sample(7, 9)]) {
      const runs = [
        await StatisticsRun.open({ ...plan, memory: new Counter() }),
        await StatisticsRun.open({ ...plan, memory: undefined }),
      ];
      const found: unknown[] = [];
      for (const feeds of [first, later, first, first]) {
        const session = await openSession(model);
        const { above, below } = await session.run(feeds);
        await session.dispose();
        for (const run of runs) {
          const { elements, values } = await run.run(feeds);
          expect([...elements[2]!.data]).toEqual([...(above!.data as Float32Array)]);
          expect([...elements[3]!.data]).toEqual([...(below!.data as Float32Array)]);
          found.push([elements.map((each) => [...each!.data]), [...values.min], [...values.max]]);
        }
      }
      for (let i = 0; i < found.length; i += 2) expect(found[i]).toEqual(found[i + 1]);
      for (const run of runs) await run.dispose();
    }
  });

  it('looks for minima only where values can be negative', async () => {
    const model = buildModel({
      inputs: { x: [1, 8, 6, 6] },
      initializers: { lo: scalar('float32', -1), hi: scalar('float32', 1), w: f32([8, 8, 1, 1]), c: f32([1], [1]) },
      nodes: [
        node('Relu', ['x'], ['relu']),
        node('MaxPool', ['relu'], ['pool'], { kernel_shape: [2, 2] }),
        node('Sigmoid', ['x'], ['gate']),
        node('Concat', ['pool', 'pool'], ['joined'], { axis: 1 }),
        node('Clip', ['x', 'lo', 'hi'], ['clip']),
        node('Add', ['relu', 'gate'], ['sum']),
        node('Add', ['relu', 'c'], ['shifted']),
        node('Add', ['relu', 'clip'], ['mixed']),
      ],
      outputs: ['joined', 'sum', 'shifted', 'mixed'],
    });
    const tensors = ['x', 'relu', 'pool', 'gate', 'joined', 'clip', 'sum', 'shifted', 'mixed'];
    const probes = await planProbes(model, tensors, minmax, { x: floats([1, 8, 6, 6], Math.sin) }, {});
    expect(probes.filter(({ columns }) => columns.includes('min')).map(({ tensor }) => tensor)).toEqual([
      'x',
      'clip',
      'shifted',
      'mixed',
    ]);
  });

  it('drops what no observed tensor needs', async () => {
    const model = resnet({ blocks: [1, 1], width: 8, size: 32, classes: 10 });
    const feeds = { input: floats([1, 3, 32, 32], Math.sin) };
    const { graph } = await observe(model, ['relu1'], feeds);
    const types = [...graph.model.graph.nodes()].map(({ opType }) => opType);
    expect(types.filter((type) => type === 'Conv')).toHaveLength(1);
    expect(types).not.toContain('Gemm');
    expect(graph.model.graph.outputs.map(({ name }) => name)).toEqual([graph.output]);
  });

  it('refuses tensors without a range', async () => {
    const model = buildModel({
      inputs: { x: [2] },
      nodes: [node('Shape', ['x'], ['s']), node('Relu', ['x'], ['y'])],
      outputs: ['s', 'y'],
    });
    const plan = (tensor: string) => planProbes(model, [tensor], minmax, { x: floats([2], Math.sin) }, {});
    await expect(plan('s')).rejects.toMatchObject({ code: 'CALIBRATE_NOT_FLOAT' });
    await expect(plan('z')).rejects.toMatchObject({ code: 'CALIBRATE_UNKNOWN_TENSOR' });
  });
});
