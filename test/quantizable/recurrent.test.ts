/** LSTM, GRU and RNN opened up give what onnxruntime's own kernels give. */
import { describe, expect, it } from 'vitest';
import { checkModel } from '../../src/graph/spec.ts';
import { floatReason } from '../../src/ops/float.ts';
import { cannotOpen } from '../../src/ops/recurrent.ts';
import { openAllRecurrent, openRecurrent } from '../../src/quantizable/recurrent.ts';
import { buildModel, f32, float, node, type AttributeSpec, type ModelSpec } from '../support/build.ts';
import { calibrate } from '../../src/calibrate/calibrate.ts';
import { rangesOf } from '../../src/calibrate/state.ts';
import { observedTensors } from '../../src/quantizable/plan.ts';
import { planQuantization } from '../../src/quantizable/planner.ts';
import { emitQdq } from '../../src/quantized/qdq.ts';
import { datasetOf, sha } from '../calibrate/samples.ts';
import { feed, gaussian } from '../quantized/make-quantized.ts';
import { anyCpu, run, sqnr } from '../quantized/support.ts';

const [steps, batch, input, hidden] = [4, 2, 6, 5];

function recurrent(op: string, attributes: Record<string, AttributeSpec>, withState = true): ModelSpec {
  const directions = attributes['direction'] === 'bidirectional' ? 2 : 1;
  const rows = { LSTM: 4, GRU: 3, RNN: 1 }[op]! * hidden;
  const lstm = op === 'LSTM';
  return {
    inputs: { x: [steps, 'batch', input], ...(withState ? { h: [directions, 'batch', hidden] } : {}) },
    outputs: ['y', 'yh', ...(lstm ? ['yc'] : [])],
    initializers: {
      w: f32([directions, rows, input], gaussian(directions * rows * input)),
      r: f32([directions, rows, hidden], gaussian(directions * rows * hidden, 2)),
      b: f32([directions, 2 * rows], gaussian(directions * 2 * rows, 3)),
    },
    nodes: [
      node(
        op,
        ['x', 'w', 'r', 'b', ...(withState ? ['', 'h', ...(lstm ? ['h'] : [])] : [])],
        ['y', 'yh', ...(lstm ? ['yc'] : [])],
        {
          hidden_size: hidden,
          ...attributes,
        },
      ),
    ],
  };
}

describe('recurrent operators opened up', () => {
  for (const op of ['LSTM', 'GRU', 'RNN']) {
    for (const direction of ['forward', 'reverse', 'bidirectional']) {
      for (const linear of op === 'GRU' ? [0, 1] : [0]) {
        it(`${op} ${direction}${linear ? ', reset after the product' : ''}`, async () => {
          const attributes = { direction, ...(op === 'GRU' ? { linear_before_reset: linear } : {}) };
          const withState = direction !== 'reverse';
          const model = buildModel(recurrent(op, attributes, withState));
          const directions = direction === 'bidirectional' ? 2 : 1;
          const feeds = {
            x: feed([steps, batch, input]),
            ...(withState ? { h: feed([directions, batch, hidden], 9) } : {}),
          };
          const expected = await run(model, feeds);
          const [first] = model.graph.nodes();
          expect(cannotOpen(first!)).toBeUndefined();
          const products = openRecurrent(first!);
          expect(products).toHaveLength(directions * (op === 'GRU' && !linear ? 3 : 2));
          checkModel(model);
          const real = await run(model, feeds);
          // The same arithmetic in float32, in another order.
          for (const name of Object.keys(expected.outputs))
            expect(sqnr(expected.outputs[name]!, real.outputs[name]!)).toBeGreaterThan(110);
        });
      }
    }
  }

  it.each([
    ['GRU', 'bidirectional', {}],
    ['GRU', 'reverse', { linear_before_reset: 1 }],
    ['LSTM', 'bidirectional', {}],
    ['RNN', 'bidirectional', {}],
    ['RNN', 'bidirectional', { activations: ['Relu', 'Sigmoid'] }],
    ['GRU', 'forward', { activations: ['Sigmoid', 'relu'] }],
    ['LSTM', 'reverse', { activations: ['Sigmoid', 'Softsign', 'Relu'] }],
    // The cell state of an LSTM grows beyond what the gates read.
    ['LSTM', 'bidirectional', { clip: float(0.5) }],
    ['GRU', 'bidirectional', { clip: float(0.5) }],
    ['GRU', 'reverse', { clip: float(0.5), linear_before_reset: 1 }],
    ['RNN', 'forward', { clip: float(0.5), activations: ['Relu'] }],
  ])('%s %s, sequences with lengths of their own, %o', async (op, direction, attributes) => {
    const spec = recurrent(op, { direction, ...attributes });
    const [first] = spec.nodes;
    const nodes = [{ ...first!, input: first!.input!.map((name, i) => (i === 4 ? 'lengths' : name)) }];
    const lengths = { type: 'int32' as const, dims: [3] };
    const model = buildModel({ ...spec, nodes, inputs: { ...spec.inputs, lengths } });
    const directions = direction === 'bidirectional' ? 2 : 1;
    const feeds = {
      x: feed([steps, 3, input]),
      h: feed([directions, 3, hidden], 9),
      lengths: { ...lengths, data: Int32Array.of(4, 1, 3) },
    };
    const expected = await run(model, feeds);
    openRecurrent([...model.graph.nodes()][0]!);
    checkModel(model);
    const real = await run(model, feeds);
    expect(real.types).not.toContain(op);
    for (const name of Object.keys(expected.outputs))
      expect(sqnr(expected.outputs[name]!, real.outputs[name]!)).toBeGreaterThan(110);
  });

  it('says what it cannot open', () => {
    const reason = (attributes: Record<string, AttributeSpec>): string | undefined => {
      const [first] = buildModel(recurrent('GRU', attributes)).graph.nodes();
      return cannotOpen(first!);
    };
    expect(reason({ clip: float(3) })).toBeUndefined();
    expect(reason({ activations: ['Sigmoid', 'Elu'] })).toBe('its activations are Sigmoid, Elu');
    expect(reason({ activations: ['Sigmoid', 'Tanh'] })).toBeUndefined();
    expect(reason({ layout: 1 })).toMatch(/batch first/);
  });
});

describe('static int8', () => {
  it.each(['LSTM', 'GRU', 'RNN'])('%s opened to a Scan multiplies in int8, inside and outside its body', async (op) => {
    const linear = op === 'GRU' ? { linear_before_reset: 1 } : {};
    const model = buildModel(recurrent(op, { direction: 'bidirectional', ...linear }));
    const feeds = { x: feed([steps, batch, input]), h: feed([2, batch, hidden], 9) };
    const expected = await run(model, feeds);
    expect(openAllRecurrent(model, {})).toEqual([]);
    const plan = planQuantization(model, { target: anyCpu, scheme: anyCpu.scheme });
    const state = await calibrate(model, observedTensors(plan), datasetOf([{ id: 'one', inputs: feeds }]), [0], {
      modelSha256: sha,
      observer: 'minmax',
      observerOptions: {},
      threads: 1,
    });
    const { model: int8 } = emitQdq(model, plan, rangesOf(state));
    checkModel(int8);
    const real = await run(int8, feeds);
    // W and R of both directions.
    expect(real.types.filter((type) => type === 'MatMulIntegerToFloat')).toHaveLength(4);
    expect(real.types).not.toContain(op);
    // Two products of 8-bit operands add 35 to 40 dB of noise each; gates squash it, and the state carries it along four steps.
    for (const name of Object.keys(expected.outputs))
      expect(sqnr(expected.outputs[name]!, real.outputs[name]!)).toBeGreaterThan(25);
  });

  it('says what it leaves, and ends where there is nothing to open', () => {
    const open =
      (spec: ModelSpec, request = {}) =>
      () =>
        openAllRecurrent(buildModel(spec), request);
    expect(open(recurrent('GRU', { activations: ['Elu', 'Elu'] }))).toThrow(
      expect.objectContaining({ code: 'PLAN_NO_RECURRENT', message: expect.stringContaining('are Elu, Elu') }),
    );
    expect(open(recurrent('LSTM', {}), { exclude: ['LSTM'] })).toThrow(
      expect.objectContaining({ message: expect.stringContaining('--exclude LSTM') }),
    );
    expect(open({ inputs: { x: [1] }, outputs: ['y'], nodes: [node('Relu', ['x'], ['y'])] })).toThrow(
      expect.objectContaining({ message: expect.stringContaining('no LSTM, GRU or RNN') }),
    );
    const two = recurrent('RNN', {});
    const both = {
      ...two,
      outputs: ['y', 'z'],
      nodes: [
        ...two.nodes,
        node('GRU', ['x', 'w3', 'r3'], ['z'], { hidden_size: hidden, layout: 0, activations: ['Elu', 'Tanh'] }),
      ],
    };
    const initializers = { ...two.initializers, w3: f32([1, 3 * hidden, input]), r3: f32([1, 3 * hidden, hidden]) };
    expect(open({ ...both, initializers })()).toEqual([{ node: 'n_z', reason: 'its activations are Elu, Tanh' }]);
  });

  it('names no way that leads back', () => {
    const why = (op: string, attributes: Record<string, AttributeSpec>): string =>
      floatReason([...buildModel(recurrent(op, attributes)).graph.nodes()][0]!)!;
    const elu = { activations: ['Elu', 'Tanh'] };
    expect(why('GRU', {})).toMatch(/--format dynamic .*, --recurrent scan opens it$/);
    expect(why('GRU', elu)).toMatch(/cannot be opened to products that have one: its activations are Elu, Tanh$/);
    expect(why('LSTM', { input_forget: 1 })).toMatch(/--format dynamic multiplies its weights in int8$/);
    expect(() => openAllRecurrent(buildModel(recurrent('GRU', elu)), {})).toThrow(
      expect.objectContaining({ hint: expect.not.stringContaining('dynamic') }),
    );
  });
});
