import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { explainPair, type PairExplanation } from '../../src/inspect/explain-pair.ts';
import { changed, digitData, digits, quantizeDigits, temporary } from '../compare/layers/support.ts';

const inFolder = temporary();
const int8 = inFolder('int8.onnx');
const flags = { seed: 0, threads: 1, input: [], carry: [], skipBad: false };
const fates = ({ nodes }: PairExplanation) =>
  nodes.map(({ node, fate, kernel, into }) => ({ node, fate, kernel, into }));

beforeAll(async () => void (await quantizeDigits(int8)));

describe('a float model and its int8 form side by side', () => {
  it('says of every node of the float model which kernel does its work', async () => {
    const pair = await explainPair(digits, int8, flags);
    expect(pair).toMatchObject({ kind: 'pair', how: 'record', stamp: { target: 'ort-cpu-x64-avx2' } });
    expect(pair.nodes.length).toBeGreaterThan(10);
    expect(pair.nodes.filter(({ fate }) => fate === 'gone')).toEqual([]);
    const conv = pair.nodes.find(({ op }) => op === 'Conv')!;
    expect(conv).toMatchObject({ fate: 'int8', kernel: 'QLinearConv' });
    expect(conv.fused).toContain(conv.node.replace('.0/Conv', '.1/BatchNormalization'));
    const relu = pair.nodes.find(({ op }) => op === 'Relu')!;
    expect(relu).toMatchObject({ fate: 'absorbed', kernel: 'QLinearConv', into: conv.node });
    // What runs in int8 here is what the placement counts, but for what the fused model has no node of.
    const kernels = new Set(pair.nodes.filter(({ fate }) => fate === 'int8').map(({ node }) => node));
    expect(kernels.size).toBeLessThanOrEqual(pair.placement.int8);
    expect(pair.placement.left).toHaveLength(pair.placement.conversions);
    expect(pair.floatPlacement).toMatchObject({ int8: 0, conversions: 0 });
  });

  it('pairs nodes by structure where nothing is recorded and every name is another, to the same result', async () => {
    const bare = changed(int8, inFolder('bare.onnx'), (model) => {
      let number = 0;
      for (const key of [...model.metadata.keys()]) if (key !== 'qdq.float') model.metadata.delete(key);
      for (const node of model.graph.nodes()) {
        node.name = `n${number++}`;
        for (const output of node.outputs) if (output && !output.isOutput) model.graph.rename(output, `t${number++}`);
      }
    });
    const [named, unnamed] = [await explainPair(digits, int8, flags), await explainPair(digits, bare, flags)];
    expect(unnamed).toMatchObject({ how: 'structure', stamp: undefined });
    const plain = (pair: PairExplanation) => fates(pair).map(({ node, fate, kernel }) => ({ node, fate, kernel }));
    expect(plain(unnamed)).toEqual(plain(named));
  });

  it('measures both by operator, on generated numbers or on a given sample', async () => {
    const generated = await explainPair(digits, int8, flags);
    expect(generated.notes).toEqual(['timed on generated numbers, 1 thread']);
    const conv = generated.profile!.ops.find(({ op }) => op === 'Conv')!;
    expect(Math.min(conv.floatMs, conv.quantMs)).toBeGreaterThan(0);
    expect(generated.latencyMs!.float.p50).toBeGreaterThan(0);
    const { data, preprocess } = digitData;
    const { notes } = await explainPair(digits, int8, { ...flags, data, preprocess });
    expect(notes).toEqual([`timed on one sample of ${data}, 1 thread`]);
    await expect(explainPair(digits, int8, { ...flags, data: join(data, 'nothing') })).rejects.toThrow(/nothing/);
  });
});
