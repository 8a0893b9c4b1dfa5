/** GRU and RNN opened up give what onnxruntime's own kernels give. */
import { describe, expect, it } from 'vitest';
import { checkModel } from '../../src/graph/spec.ts';
import { cannotOpen, openRecurrent } from '../../src/quantizable/recurrent.ts';
import { buildModel, f32, float, node, type AttributeSpec, type ModelSpec } from '../support/build.ts';
import { feed, gaussian } from '../quantized/forms.ts';
import { run, sqnr } from '../quantized/support.ts';

const [steps, batch, input, hidden] = [4, 2, 6, 5];

function recurrent(op: string, attributes: Record<string, AttributeSpec>, withState = true): ModelSpec {
  const directions = attributes['direction'] === 'bidirectional' ? 2 : 1;
  const rows = { GRU: 3, RNN: 1 }[op]! * hidden;
  return {
    inputs: { x: [steps, 'batch', input], ...(withState ? { h: [directions, 'batch', hidden] } : {}) },
    outputs: ['y', 'yh'],
    initializers: {
      w: f32([directions, rows, input], gaussian(directions * rows * input)),
      r: f32([directions, rows, hidden], gaussian(directions * rows * hidden, 2)),
      b: f32([directions, 2 * rows], gaussian(directions * 2 * rows, 3)),
    },
    nodes: [
      node(op, ['x', 'w', 'r', 'b', ...(withState ? ['', 'h'] : [])], ['y', 'yh'], {
        hidden_size: hidden,
        ...attributes,
      }),
    ],
  };
}

describe('recurrent operators opened up', () => {
  for (const op of ['GRU', 'RNN']) {
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
          for (const name of ['y', 'yh'])
            expect(sqnr(expected.outputs[name]!, real.outputs[name]!)).toBeGreaterThan(110);
        });
      }
    }
  }

  it('says what it cannot open', () => {
    const reason = (attributes: Record<string, AttributeSpec>): string | undefined => {
      const [first] = buildModel(recurrent('GRU', attributes)).graph.nodes();
      return cannotOpen(first!);
    };
    expect(reason({ clip: float(3) })).toBe('it clips its gates');
    expect(reason({ activations: ['Sigmoid', 'Relu'] })).toBe('its activations are Sigmoid, Relu');
    expect(reason({ activations: ['Sigmoid', 'Tanh'] })).toBeUndefined();
    expect(reason({ layout: 1 })).toMatch(/batch first/);
  });
});
