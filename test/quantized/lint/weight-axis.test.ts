/** A weight axis that integer kernels read otherwise is found behind a pair too, as QAT models have it, without any declared shapes. */
import { expect, it } from 'vitest';
import { ortCpuX64Avx2 } from '../../../src/backends/targets/onnxruntime-cpu.ts';
import { lint } from '../../../src/quantized/lint/index.ts';
import { Network, scalesOf, weights } from '../../qat/foreign-models.ts';

it.each([
  [0, 0],
  [1, 1],
])('scales along axis %d: %d findings', (axis, count) => {
  const network = new Network();
  const x = network.act('x', 0.03);
  const w = weights([4, 4, 3, 3], axis);
  network.constant('w', w);
  const y = network.add('Conv', [x, network.pair('w', { scale: scalesOf(w, axis), axis })], 'y');
  const out = network.act(network.add('Relu', [y], 'r'), 0.02, 'positive');
  const { model } = network.done([1, 4, 8, 8], out, [1, 4, 6, 6]);
  expect(lint(model, ortCpuX64Avx2).filter(({ rule }) => rule === 'weight-axis')).toHaveLength(count);
});
