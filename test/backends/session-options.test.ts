/** A graph on which the optimizer of onnxruntime 1.30 fails: a Reshape to a computed shape, and right behind it one to a known shape. */
import { expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import { traceShapes } from '../../src/calibrate/shapes.ts';
import { buildModel, f32, i64, node } from '../support/build.ts';

const twice = () =>
  buildModel({
    inputs: { x: ['b', 's', 8], k: ['c', 'd'] },
    outputs: { y: [48] },
    initializers: { flat: i64([48]) },
    nodes: [
      node('Relu', ['x'], ['a']),
      node('Shape', ['k'], ['s']),
      node('Reshape', ['a', 's'], ['r']),
      node('Reshape', ['r', 'flat'], ['y']),
    ],
  });
const feeds = { x: { ...f32([2, 3, 8]) }, k: { ...f32([6, 8]) } } as never;

/** When a release mends it, the graph opens at once; there is nothing left to fall back from then. */
const fails = await openSession(twice()).then(
  async (session) => (await session.dispose(), false),
  () => true,
);

it('leaves out of the optimizer what fails, and tells', async () => {
  const told: string[] = [];
  const session = await openSession(twice(), { onFallback: (each) => told.push(each) }, "'m.onnx'");
  const { y } = await session.run(feeds);
  await session.dispose();
  expect(y!.data).toEqual((f32([2, 3, 8]).data as Float32Array).map((each) => Math.max(each, 0)));
  expect(told).toEqual(
    fails ? [expect.stringMatching(/^onnxruntime.s optimizer fails on .m\.onnx. .*without ReshapeFusion$/)] : [],
  );
});

it('is no way around without being asked for: users would open the file as it is', async () => {
  const opened = openSession(twice(), {}, "'m.onnx'").then((session) => session.dispose());
  if (fails) await expect(opened).rejects.toMatchObject({ code: 'BACKEND_LOAD' });
  else await opened;
});

it('reads shapes of tensors inside all the same', async () => {
  expect(await traceShapes(twice(), feeds, ['r', 'y'])).toEqual(
    new Map([
      ['r', [6, 8]],
      ['y', [48]],
    ]),
  );
});

it('says what the graph itself has wrong, not what the last attempt said', async () => {
  const broken = buildModel({ inputs: { x: [4] }, outputs: ['y'], nodes: [node('NoSuchOperator', ['x'], ['y'])] });
  const told: string[] = [];
  await expect(openSession(broken, { onFallback: (each) => told.push(each) })).rejects.toMatchObject({
    code: 'BACKEND_LOAD',
    message: expect.stringContaining('NoSuchOperator'),
  });
  expect(told).toEqual([]);
});
