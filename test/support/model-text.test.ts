import { expect, it } from 'vitest';
import { body, f32, float, floats, i64, node } from './build.ts';
import { onnx } from './model-text.ts';

it('reads what a test would write as data', () => {
  const w = f32([8, 3, 3, 3]);
  const text = onnx`
    <opset: 13>
    (float[1, 3, h, ?] x, int64[n] ids, bool flag) => (float[1, 8, ${'h'}, w] y)
    // a constant of the test, and one that is written out
    w = ${w}
    int64[2] axes = {1, -2}
    c = Conv <pads = [1, 1, 1, 1], group = 1, auto_pad = "NOTSET"> (x, w)
    l = LeakyRelu <alpha = 1e-2> (c)
    [scaled] s, "" = my.domain.Scale <by = [0.5, 2.0], body = ${body({ outputs: ['z'], nodes: [] })}> (l, "", axes)
    y = Relu (s)
  `;
  expect(text).toEqual({
    opset: 13,
    inputs: { x: [1, 3, 'h', null], ids: { type: 'int64', dims: ['n'] }, flag: { type: 'bool' } },
    outputs: { y: [1, 8, 'h', 'w'] },
    initializers: { w, axes: i64([1, -2]) },
    nodes: [
      node('Conv', ['x', 'w'], ['c'], { pads: [1, 1, 1, 1], group: 1, auto_pad: 'NOTSET' }),
      node('LeakyRelu', ['c'], ['l'], { alpha: float(1e-2) }),
      node(
        'Scale',
        ['l', '', 'axes'],
        ['s', ''],
        { by: floats(0.5, 2), body: body({ outputs: ['z'], nodes: [] }) },
        { name: 'scaled', domain: 'my.domain' },
      ),
      node('Relu', ['s'], ['y']),
    ],
  });
  expect(onnx`(float[2] x) => (y) y = Neg (x)`.outputs).toEqual(['y']);
});

it('says where a text is wrong', () => {
  expect(() => onnx`(float[2] x) -> (y)`).toThrow("'=>' expected, not '-', after ( float [ 2 ] x )");
  expect(() => onnx`(float[2] x) => (y) y = Relu (x`).toThrow('the text ends too early');
});
