/** Cut at its quantizers, a model computes the same from what stands between them, and another than another from one place on only. */
import { expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { cutModel, partOf, showQuantized } from '../../src/qat/cut.ts';
import { unsignActivations } from '../../src/qat/lower-passes.ts';
import { fakeQuantized, four, images, residual } from './support.ts';
import { run } from '../quantized/support.ts';

const feeds = { x: images(2) };

it('fed with its own values it shows the same ones, in integer kernels', async () => {
  const prepared = await fakeQuantized(residual(2), feeds, four);
  const { model, shown } = showQuantized(prepared);
  checkModel(model);
  const { outputs } = await run(model, feeds, { simulate: true });
  const dims = new Map([...shown].map(([codes, name]) => [codes, outputs[name]!.dims]));
  const cut = cutModel(prepared, dims);
  checkModel(cut.model);
  expect([...cut.fed.keys()]).toEqual([...shown.keys()]);
  const session = await openSession(cut.model, { simulate: true });
  const values = [...cut.fed].map(([codes, input]) => [input, outputs[shown.get(codes)!]!]);
  const results = await session.run({ ...feeds, ...Object.fromEntries(values) });
  await session.dispose();
  for (const [codes, name] of cut.shown) expect(results[name]!.data).toEqual(outputs[shown.get(codes)!]!.data);
  expect(results['y']!.data).toEqual(outputs['y']!.data);
});

it('a part reaches up to the quantizers before it', async () => {
  const prepared = await fakeQuantized(residual(2), feeds);
  const sum = prepared.graph.values.get('r3')!;
  expect(
    partOf(sum)
      .map(({ opType }) => opType)
      .sort(),
  ).toEqual(['Add', 'Relu']);
});

it('unsigned activations stand for the same numbers', async () => {
  const scheme = { activationType: 'int8', activationSymmetric: true } as const;
  const prepared = await fakeQuantized(residual(), feeds, four, scheme);
  const before = await run(prepared, feeds, { simulate: true });
  unsignActivations(prepared);
  checkModel(prepared);
  const types = [...prepared.allNodes()].flatMap((each) =>
    each.is('QuantizeLinear') && !each.input(0)!.isConstant ? [each.input(2)!.type] : [],
  );
  expect(new Set(types)).toEqual(new Set(['uint8']));
  expect((await run(prepared, feeds, { simulate: true })).outputs['y']!.data).toEqual(before.outputs['y']!.data);
});
