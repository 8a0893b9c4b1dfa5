/** Each rule of each target finds a model that breaks it, names the place and a remedy; and the rules have words. */
import { describe, expect, it } from 'vitest';
import { targets } from '../../../src/backends/targets/index.ts';
import type { Scheme, Target } from '../../../src/backends/targets/target.ts';
import type { Model } from '../../../src/graph/model.ts';
import { lint, rules, rulesOf } from '../../../src/quantized/lint/index.ts';
import { buildModel, node, scalar } from '../../support/build.ts';
import { planFor, quantize } from '../support.ts';
import { feeds, network } from '../target-network.ts';

const target = (name: string): Target => targets.find((each) => each.name === name)!;

async function made(by: Target, scheme: Partial<Scheme> = {}): Promise<Model> {
  const model = network();
  return (await quantize(model, feeds, planFor(model, scheme, by))).model;
}

/** What one rule finds, as text. */
function found(model: Model, name: string, rule: string): string[] {
  return lint(model, target(name))
    .filter((finding) => finding.rule === rule)
    .map(({ node: at, tensor, message }) => `${at ?? '-'} ${tensor ?? '-'} ${message}`);
}

describe('lint', () => {
  it('tensorrt: symmetric int8 activations', async () => {
    const skewed = await made(target('tensorrt'), { activationSymmetric: false });
    expect(found(skewed, 'tensorrt', 'activation-symmetry')[0]).toMatch(/^x_QuantizeLinear x its zero point is -?\d+$/);
    const unsigned = await made(target('tensorrt'), { activationType: 'uint8' });
    expect(found(unsigned, 'tensorrt', 'activation-type')[0]).toBe('x_QuantizeLinear x its codes are u8');
    expect(lint(await made(target('tensorrt')), target('tensorrt'))).toEqual([]);
  });

  it('tensorrt: float biases, weights behind pairs, dedicated pairs, no quantizer behind a last Gemm', async () => {
    const theirs = { ...target('tensorrt'), encoding: target('qnn').encoding };
    const model = await made(theirs);
    expect(found(model, 'tensorrt', 'bias')).toContain('n_c1 b1_DequantizeLinear_Output it is quantized');
    expect(found(model, 'tensorrt', 'weight-form')).toContain('n_c1 w1_DequantizeLinear_Output it is stored as codes');
    expect(found(model, 'tensorrt', 'own-quantizers')).toEqual(['r1_QuantizeLinear r1 2 nodes read it']);
    const everywhere = { ...target('tensorrt'), placement: target('qnn').placement };
    const placed = found(await made(everywhere), 'tensorrt', 'placement');
    expect(placed.at(-1)).toBe("y_DequantizeLinear y the result of 'n_y' is quantized, and is an output of the model");
  });

  it('webgpu: no zero point on an int32 bias', async () => {
    const model = await made(target('ort-cpu-x64'));
    expect(found(model, 'ort-web-webgpu', 'bias')).toContain(
      'n_c1 b1_DequantizeLinear_Output its DequantizeLinear of int32 has a zero point',
    );
    expect(found(await made(target('ort-web')), 'ort-web-webgpu', 'bias')).toEqual([]);
  });

  it('qnn: one scale per channel for signed weights of convolutions only, a DequantizeLinear for each reader', async () => {
    const model = await made(target('ort-cpu-x64'));
    expect(found(model, 'qnn', 'per-channel').sort()).toEqual([
      'n_product w4_DequantizeLinear_Output it has 16 scales, and MatMul takes one',
      'n_y w5_DequantizeLinear_Output it has 5 scales, and Gemm takes one',
    ]);
    expect(found(model, 'qnn', 'own-quantizers').length).toBeGreaterThan(0);
    const unsigned = await made({ ...target('ort-cpu-x64'), perChannel: ['Conv'] }, { weightType: 'uint8' });
    expect(found(unsigned, 'qnn', 'per-channel')).toContain(
      'n_c1 w1_DequantizeLinear_Output it has 8 scales of u8 codes',
    );
  });

  it('qnn: signed activations; nnapi: s8 per channel outside of Conv, operators, fixed parameters', async () => {
    expect(found(await made(target('ort-cpu-arm64')), 'qnn', 'activation-type').length).toBeGreaterThan(0);
    const model = await made(target('ort-cpu-x64'));
    expect(found(model, 'nnapi', 'per-channel').length).toBeGreaterThan(0);
    expect(found(model, 'nnapi', 'fixed-parameters')[0]).toMatch(
      /^n_gate gate its scale is 0\.0039215\d+ and its zero point 0, not 1\/256 and 0$/,
    );
    const wide = await made({ ...target('qnn'), fixed: {} }, { activationType: 'uint16' });
    expect(found(wide, 'qnn', 'fixed-parameters')[0]).toMatch(/not 1\/65536 and 0$/);
    expect(found(model, 'tensorrt', 'operators')).toContain('n_gate - Sigmoid stands between quantizers');
  });

  it('weights: their type, and zero points other than 0', () => {
    const model = buildModel({
      opset: 21,
      inputs: { x: [1, 4] },
      outputs: { y: [1, 4] },
      initializers: {
        s: scalar('float32', 0.1),
        z: scalar('int8', 3),
        w: { type: 'int8', dims: [4, 4], data: new Int8Array(16).fill(5) },
      },
      nodes: [node('DequantizeLinear', ['w', 's', 'z'], ['wd']), node('MatMul', ['x', 'wd'], ['y'])],
    });
    expect(found(model, 'ort-cpu-x64', 'weight-symmetry')).toEqual(['n_y wd its zero point is 3']);
    expect(found(model, 'coreml', 'weight-type')[0]).toMatch(/^n_y wd its codes are s8$/);
    expect(found(model, 'coreml', 'format')).toEqual(['n_wd - DequantizeLinear belongs to the form qdq']);
  });

  it('the operator set', async () => {
    const old = { ...target('qnn'), opset: { least: 22, newest: 26 } };
    expect(lint(await made(target('qnn')), old).map(({ rule, remedy }) => [rule, remedy])).toEqual([
      ['opset', 'upgrade it: qdq fuse --opset 22'],
    ]);
  });

  it('every finding has a remedy, and every rule speaks for some target', async () => {
    const model = await made(target('ort-cpu-x64'));
    for (const each of targets)
      for (const { remedy, message } of lint(model, each)) expect([remedy.length, message.length]).not.toContain(0);
    const spoken = new Set(targets.flatMap((each) => rulesOf(each).map(({ id }) => id)));
    expect(rules.map(({ id }) => id).filter((id) => !spoken.has(id))).toEqual([]);
  });
});
