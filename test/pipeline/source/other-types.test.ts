/** Models of other float types, and of operators that nothing here runs, through the whole pipeline. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openModel } from '../../../src/compare/models.ts';
import { compareModels, fuseModel, quantizeModel } from '../../../src/index.ts';
import type { DataTypeName } from '../../../src/onnx/data-types.ts';
import { float32ToBfloat16, float32ToFloat16, fromFloat32 } from '../../../src/onnx/narrow-types.ts';
import { encodeModel } from '../../../src/onnx/model-file.ts';
import { buildProto, f32, node, type Constant, type ModelSpec } from '../../support/build.ts';
import { gaussian } from '../../quantized/make-quantized.ts';

const folder = mkdtempSync(join(tmpdir(), 'qdq-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Type = 'float32' | 'float16' | 'bfloat16' | 'float64';

function as(type: Type, constant: Constant): Constant {
  const single = constant.data as Float32Array;
  if (type === 'float32') return constant;
  if (type === 'float64') return { ...constant, type, data: Float64Array.from(single) };
  const data = fromFloat32(single, type === 'float16' ? float32ToFloat16 : float32ToBfloat16);
  return { ...constant, type, data };
}

const layers = (type: Type): ModelSpec => ({
  opset: 17,
  inputs: { x: { type, dims: ['n', 64] } },
  initializers: {
    w1: as(
      type,
      f32(
        [64, 64],
        gaussian(64 * 64, 1).map((v) => v / 8),
      ),
    ),
    b1: as(type, f32([64], gaussian(64, 2))),
    w2: as(
      type,
      f32(
        [64, 10],
        gaussian(640, 3).map((v) => v / 8),
      ),
    ),
  },
  nodes: [
    node('MatMul', ['x', 'w1'], ['a']),
    node('Add', ['a', 'b1'], ['h']),
    node('Relu', ['h'], ['r']),
    node('MatMul', ['r', 'w2'], ['y']),
  ],
  outputs: { y: { type, dims: ['n', 10] } },
});

function written(name: string, spec: ModelSpec): string {
  const path = join(folder, name);
  writeFileSync(path, encodeModel(buildProto(spec)));
  return path;
}

const data = { data: 'random', samples: 24, threads: 1, layers: false } as const;
const out = (name: string): string => join(folder, name);
const portsOf = (path: string): (DataTypeName | undefined)[] => {
  const { graph } = openModel(path).model;
  return [...graph.inputs, ...graph.outputs].map(({ type }) => type);
};

async function sqnr(type: Type, format: 'qdq' | 'qoperator' | 'dynamic' | 'weight-only' | 'fp16' | 'bf16') {
  const output = out(`${type}.${format}.onnx`);
  const { report, warnings } = await quantizeModel({
    ...data,
    model: written(`${type}.onnx`, layers(type)),
    output,
    format,
  });
  return { sqnr: report!.outputs[0]!.sqnrDb, ports: portsOf(output), warnings, output };
}

describe('float16, bfloat16 and float64 models', () => {
  it.each(['qdq', 'qoperator', 'dynamic', 'weight-only'] as const)(
    'as good as the float32 twin: %s',
    async (format) => {
      const twin = await sqnr('float32', format);
      for (const type of ['float16', 'float64', 'bfloat16'] as const) {
        const made = await sqnr(type, format);
        // Other weights than the twin's by up to 2^-9 of each (bfloat16), so that each code is another draw of a rounding error.
        expect(Math.abs(made.sqnr - twin.sqnr)).toBeLessThan(1);
        // onnxruntime-node has no bfloat16.
        expect(made.ports).toEqual(type === 'bfloat16' ? ['float32', 'float32'] : [type, type]);
        expect(made.warnings[0]).toContain(`the model is ${type}`);
      }
    },
  );

  it('weight-only leaves a float16 model float16', async () => {
    const { output, warnings } = await sqnr('float16', 'weight-only');
    const values = [...openModel(output).model.graph.values.values()];
    expect(values.filter(({ constant }) => constant?.type.name === 'float32')).toEqual([]);
    expect(warnings[0]).toContain('stays so where it is not quantized');
  });

  it('fp16 of a float16 model is what it was', async () => {
    const { output, ports } = await sqnr('float16', 'fp16');
    expect(ports).toEqual(['float16', 'float16']);
    expect([...openModel(output).model.graph.nodes()].map(({ opType }) => opType)).not.toContain('Cast');
  });

  it('two models of different types are compared, and fuse keeps the type', async () => {
    const half = written('half.onnx', layers('float16'));
    const single = written('single.onnx', layers('float32'));
    const { report } = await compareModels({ ...data, float: half, quant: single });
    expect(report.outputs[0]!.sqnrDb).toBeGreaterThan(55);
    const output = out('fused.onnx');
    const { bound } = await fuseModel({ data: 'random', samples: 8, threads: 1, model: half, output });
    expect(bound).toBeGreaterThan(1e-3);
    expect(portsOf(output)).toEqual(['float16', 'float16']);
  });
});

describe('operators that nothing here runs', () => {
  const custom: ModelSpec = {
    domains: { acme: 1 },
    inputs: { x: ['n', 64] },
    initializers: layers('float32').initializers!,
    nodes: [
      node('MatMul', ['x', 'w1'], ['a']),
      node('Own', ['a', 'b1'], ['r'], {}, { domain: 'acme' }),
      node('MatMul', ['r', 'w2'], ['y']),
    ],
    outputs: { y: ['n', 10] },
  };

  it.each(['dynamic', 'weight-only', 'fp16', 'bf16'] as const)(
    '%s is written, and says that it was not run',
    async (format) => {
      const output = out(`custom.${format}.onnx`);
      const made = await quantizeModel({ model: written('custom.onnx', custom), output, format, threads: 1 });
      expect(made.notRun).toMatch(/NOT RUN: nothing here runs acme\.Own/);
      expect(made.warnings).toContain(made.notRun);
      expect(made.report).toBeUndefined();
      expect(existsSync(output)).toBe(true);
      expect([...openModel(output).model.graph.nodes()].map(({ opType }) => opType)).toContain('Own');
    },
  );

  it('what must run is refused, with a way on', async () => {
    const model = written('custom.onnx', custom);
    const made = quantizeModel({ ...data, model, output: out('custom.qdq.onnx') });
    await expect(made).rejects.toMatchObject({ code: 'QUANT_NEEDS_RUN', hint: expect.stringContaining('weight-only') });
    const gated = quantizeModel({ model, output: out('g.onnx'), format: 'dynamic', gates: ['size.ratio >= 1'] });
    await expect(gated).rejects.toMatchObject({ code: 'QUANT_GATE_NOT_RUN' });
    expect((await fuseModel({ model, output: out('custom.fused.onnx') })).warnings.join()).toContain('NOT PROVEN');
  });
});
