import { beforeAll, describe, expect, it } from 'vitest';
import { openSession, type Session } from '../../../src/backends/session.ts';
import { parseGate } from '../../../src/compare/gates.ts';
import { pairTensors } from '../../../src/compare/layers/pairing.ts';
import {
  checkSensitivityGate,
  measureSensitivity,
  type SensitivityResult,
} from '../../../src/compare/layers/sensitivity.ts';
import { buildSwitchable } from '../../../src/compare/layers/switchable.ts';
import { openModel } from '../../../src/compare/models.ts';
import { checkModel } from '../../../src/graph/spec.ts';
import type { Model } from '../../../src/graph/model.ts';
import { Tensor } from '../../../src/onnx/tensor.ts';
import { openFused } from '../../../src/pipeline/source/source.ts';
import { changed, digits, digitSamples, quantizeDigits, shrinkScale, temporary } from './support.ts';

const inFolder = temporary();
const int8 = inFolder('int8.onnx');
let fused: Model;
let sha256: string;

beforeAll(async () => {
  await quantizeDigits(int8);
  const source = await openFused(digits, { threads: 1 }, { opset: openModel(int8).model.opset });
  fused = source.model;
  sha256 = source.file.sha256();
});

const pairingOf = (quant: Model) => pairTensors({ plain: fused, fused }, { plain: quant, fused: quant }, sha256);

async function sensitivity(
  path: string,
  until: string,
  search: boolean,
  measure = Infinity,
): Promise<SensitivityResult> {
  return measureSensitivity({
    pairing: pairingOf(openModel(path).model),
    dataset: await digitSamples,
    selection: { from: 0, to: 24 },
    threads: 1,
    gate: parseGate(until),
    search,
    measure,
  });
}

/** 10·log10(Σa² / Σ(a − b)²) of the logits of the first samples. */
async function closeness(a: Session, b: Session, flags: Record<string, boolean>): Promise<number> {
  let [signal, noise] = [0, 0];
  for await (const { inputs } of (await digitSamples).samples({ from: 0, to: 16 })) {
    const switches = Object.fromEntries(
      Object.entries(flags).map(([name, on]) => [
        name,
        { type: 'bool' as const, dims: [], data: Uint8Array.of(on ? 1 : 0) },
      ]),
    );
    const x = (await a.run(inputs))['logits']!.data as Float32Array;
    const y = (await b.run({ ...inputs, ...switches }))['logits']!.data as Float32Array;
    x.forEach((value, i) => {
      signal += value * value;
      noise += (value - y[i]!) ** 2;
    });
  }
  return 10 * Math.log10(signal / noise);
}

describe('the switchable model', () => {
  it('is the float model with every switch off and the int8 model with every switch on', async () => {
    const quant = openModel(int8).model;
    const { model, layers } = buildSwitchable(pairingOf(quant));
    checkModel(model);
    expect(layers.map(({ op }) => op).toSorted()).toEqual(
      expect.arrayContaining(['Conv', 'Conv', 'Conv', 'Conv', 'Conv', 'Gemm']),
    );
    const all = (on: boolean): Record<string, boolean> =>
      Object.fromEntries(
        layers.flatMap(({ flag, result }) =>
          [flag, result].flatMap((name) => (name === undefined ? [] : [[name, on]])),
        ),
      );
    const sessions = await Promise.all([
      openSession(fused),
      openSession(quant, { simulate: true }),
      openSession(model, { simulate: true }),
    ]);
    const [float, simulated, switched] = sessions;
    // Float sums in another order.
    expect(await closeness(float, switched, all(false))).toBeGreaterThan(100);
    const cost = await closeness(float, simulated, {});
    // Now and then a value on the edge between two codes: far less than quantization costs.
    expect(await closeness(simulated, switched, all(true))).toBeGreaterThan(cost + 12);
    await Promise.all(sessions.map((session) => session.dispose()));
  });
});

describe('sensitivity', () => {
  it('measures every layer alone, as the only float one, and at a first look that ranks alike', async () => {
    const { base, layers, spearman, n } = await sensitivity(int8, 'output.sqnr >= 0', false);
    expect(n).toBe(24);
    expect(layers.length).toBeGreaterThanOrEqual(6);
    for (const { alone, leftFloat } of layers) {
      // One layer costs less than all, but for what errors that are not independent cancel of each other.
      expect(alone!).toBeGreaterThan(base - 3);
      expect(leftFloat!).toBeGreaterThan(base - 3);
    }
    const order = layers.map(({ alone }) => alone!);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(spearman!).toBeGreaterThan(0.85);
  });

  it('puts a layer with a spoilt weight first and proposes to exclude it', async () => {
    const target = pairingOf(openModel(int8).model).pairs.filter(({ quantizer }) => quantizer?.kind === 'weight')[2]!;
    const broken = changed(int8, inFolder('broken.onnx'), (model) => {
      const value = model.graph.values.get(target.value.name)!;
      shrinkScale(model, value.name, 16);
      const codes = Int8Array.from(value.constant!.floats(), (code) => Math.max(-128, Math.min(127, code * 16)));
      value.initializer = Tensor.of(value.name, 'int8', [...value.constant!.dims], codes);
    });
    const found = await sensitivity(broken, 'output.sqnr >= 20', true);
    expect(found.base).toBeLessThan(20);
    expect(found.layers[0]!.node).toBe(target.quantizer!.node!.label);
    expect(found.exclude).toEqual([found.layers[0]!.node]);
    expect(found.reached!).toBeGreaterThanOrEqual(20);
  });

  it('frees both sides of a tensor with a spoilt scale', async () => {
    const target = pairingOf(openModel(int8).model).pairs.filter(
      ({ quantizer }) => quantizer?.kind === 'activation',
    )[3]!;
    const broken = changed(int8, inFolder('tensor.onnx'), (model) => shrinkScale(model, target.value.name, 16));
    const found = await sensitivity(broken, 'output.sqnr >= 20', true);
    expect(found.exclude).toContain(target.quantizer!.node!.label);
    expect(found.reached!).toBeGreaterThanOrEqual(20);
    // Its maker and its readers, each of which by itself leaves it quantized.
    const dequantized = [...target.value.users.keys()].map((node) => node.output()!);
    const readers = new Set(dequantized.flatMap((value) => [...value.users.keys()]));
    expect(found.exclude!.length).toBe(1 + readers.size);
  });

  it('measures only as many layers as asked, the first look deciding which', async () => {
    const { layers } = await sensitivity(int8, 'output.sqnr >= 0', false, 2);
    expect(layers.map(({ alone }) => alone !== undefined)).toEqual([true, true, ...layers.slice(2).map(() => false)]);
  });

  it('excludes nothing where nothing is needed, and everything where nothing suffices', async () => {
    expect((await sensitivity(int8, 'output.sqnr >= 1', true, 1)).exclude).toEqual([]);
    const { exclude, layers } = await sensitivity(int8, 'output.sqnr >= 500', true, 1);
    expect(exclude).toHaveLength(layers.length);
  });

  it('refuses gates that it cannot judge', () => {
    for (const gate of ['size.ratio >= 3', 'output.sqnr >= baseline'])
      expect(() => checkSensitivityGate(parseGate(gate))).toThrow(/leaving layers float/);
    for (const gate of ['output.sqnr >= 3', 'agreement > 0.9', 'top1.drop <= 1%'])
      expect(() => checkSensitivityGate(parseGate(gate))).not.toThrow();
  });
});
