/** The proof of the upgrade: every case of cases.ts, from every opset it is valid at, gives equal outputs in onnxruntime. */
import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import type { Model } from '../../src/graph/model.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { adapters } from '../../src/opset/adapters/index.ts';
import { upgradeOpset } from '../../src/opset/upgrade.ts';
import { leastIrVersion, newestOpset } from '../../src/opset/versions.ts';
import { buildModel } from '../support/build.ts';
import { adaptedCases, unchangedCases, type Case } from './cases.ts';

async function run(model: Model, feeds: Case['feeds']): Promise<Record<string, TensorValue>> {
  const session = await openSession(model, { level: 'disabled' });
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
}

/** Bits, so that NaN equals NaN and 0 differs from -0; or numbers when a bound is given. */
function expectEqual(after: TensorValue, before: TensorValue, tolerance: number | undefined): void {
  expect(after.type).toBe(before.type);
  expect(after.dims).toEqual(before.dims);
  if (tolerance === undefined) {
    expect(after.data).toEqual(before.data);
    return;
  }
  before.data.forEach((value: number | bigint, i: number) => {
    expect(Math.abs(Number(after.data[i]) - Number(value))).toBeLessThanOrEqual(tolerance);
  });
}

async function check({ spec, feeds, tolerance, runsTo = newestOpset }: Case, opset: number): Promise<number> {
  const before = await run(buildModel({ ...spec, opset }), feeds);
  let adapted = 0;
  for (const target of [10, 13, 18, 21, newestOpset]) {
    if (target <= opset || target > runsTo) continue;
    const model = buildModel({ ...spec, opset });
    const face = [model.feeds.map((value) => value.info), modelToProto(model).graph!.output];
    const log = upgradeOpset(model, target);
    checkModel(model);
    expect(log).toMatchObject({ from: opset, to: target });
    expect(model.opset).toBe(target);
    expect(model.irVersion).toBeGreaterThanOrEqual(leastIrVersion(target));
    expect([model.feeds.map((value) => value.info), modelToProto(model).graph!.output]).toEqual(face);
    const after = await run(model, feeds);
    for (const [name, value] of Object.entries(before)) expectEqual(after[name]!, value, tolerance);
    adapted = log.adapted.length;
  }
  return adapted;
}

const opsetsOf = ({ from, to }: Case): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('operators with an adapter', () => {
  it.each(adaptedCases.map((each) => [each.name, each] as const))('%s', async (_, each) => {
    for (const opset of opsetsOf(each)) {
      expect(await check(each, opset), `nodes adapted from opset ${opset}`).toBe(1);
    }
  });

  it('all have a case', () => {
    const covered = new Set(adaptedCases.flatMap(({ spec }) => spec.nodes.map((node) => node.opType)));
    const refusing = ['Scan'];
    expect(adapters.flatMap(({ ops }) => ops).filter((op) => !covered.has(op) && !refusing.includes(op))).toEqual([]);
  });
});

describe('operators that changed without an adapter', () => {
  it.each(unchangedCases.map((each) => [each.name, each] as const))('%s', async (_, each) => {
    const starts = new Set([each.from, 9, 11, 12, 14, 17, each.to]);
    for (const opset of opsetsOf(each)) if (starts.has(opset)) expect(await check(each, opset)).toBe(0);
  });
});
