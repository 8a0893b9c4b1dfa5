import { describe, expect, it } from 'vitest';
import { ortCpuArm64, ortCpuX64, ortCpuX64Avx2 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import { targetOf } from '../../src/backends/targets/index.ts';
import {
  checkFormat,
  findTarget,
  leastOpset,
  resolveScheme,
  type SchemeRequest,
} from '../../src/quantizable/scheme.ts';

describe('resolveScheme', () => {
  it('takes what is not asked for from the target', () => {
    expect(resolveScheme(ortCpuX64, {})).toEqual(ortCpuX64.scheme);
    expect(resolveScheme(ortCpuArm64, {})).toMatchObject({
      activationType: 'int8',
      weightType: 'int8',
      weightRange: 'full',
    });
    expect(resolveScheme(ortCpuX64Avx2, {}).weightRange).toBe('pairs');
  });

  it('needs no guard against saturation when the products are exact anyway', () => {
    expect(resolveScheme(ortCpuX64Avx2, { weightType: 'uint8' }).weightRange).toBe('full');
    expect(resolveScheme(ortCpuX64Avx2, { activationType: 'int8' }).weightRange).toBe('full');
  });

  it('lets the user decide about reduced range', () => {
    expect(resolveScheme(ortCpuX64, { reduceRange: true }).weightRange).toBe('reduced');
    expect(resolveScheme(ortCpuX64Avx2, { reduceRange: false }).weightRange).toBe('full');
  });

  it('refuses what no kernel runs', () => {
    expect(() => resolveScheme(ortCpuX64, { activationType: 'int8', weightType: 'uint8' })).toThrow(
      /int8 activations.*uint8 weights/,
    );
  });

  it('refuses what the target lacks, with what it has', () => {
    const failure = (target: string, request: SchemeRequest) => {
      try {
        resolveScheme(findTarget(target), request);
      } catch (error) {
        return error as { code: string; message: string; hint: string };
      }
      throw new Error('accepted');
    };
    expect(failure('tensorrt', { activationType: 'uint8' })).toMatchObject({
      code: 'PLAN_TARGET_TYPES',
      message: 'target tensorrt runs no uint8 activations',
      hint: 'use --activation-type s8',
    });
    expect(failure('tensorrt', { symmetric: false }).code).toBe('PLAN_TARGET_SYMMETRY');
    expect(failure('qnn', { activationType: 'int8' }).hint).toBe('use --activation-type u8 or u16');
    expect(failure('qnn', { weightType: 'uint8', perTensor: false }).code).toBe('PLAN_TARGET_CHANNELS');
    expect(failure('coreml', { activationType: 'uint8' }).hint).toBe(
      'it runs no integer activations at all: use --format fp16',
    );
    expect(() => checkFormat(findTarget('tensorrt'), 'qoperator')).toThrow(
      expect.objectContaining({ hint: 'use --format qdq or fp16 or bf16, or choose another --target' }),
    );
  });

  it('keeps one scale where unsigned weights leave no other choice', () => {
    expect(resolveScheme(findTarget('qnn'), { weightType: 'uint8' }).perChannel).toBe(false);
    expect(leastOpset(resolveScheme(findTarget('qnn'), { perTensor: true }), findTarget('qnn'))).toBe(13);
  });

  it('knows the opset that can carry it', () => {
    const opsetOf = (request: SchemeRequest): number => leastOpset(resolveScheme(ortCpuX64, request));
    expect(opsetOf({})).toBe(13);
    expect(opsetOf({ perTensor: true })).toBe(10);
    expect(opsetOf({ perTensor: true, activationType: 'uint16' })).toBe(21);
  });
});

describe('targets', () => {
  it('are found by name, with the nearest match', () => {
    expect(findTarget('ort-cpu-arm64')).toBe(ortCpuArm64);
    expect(() => findTarget('ort-cpu-x46')).toThrow(expect.objectContaining({ hint: "did you mean 'ort-cpu-x64'?" }));
  });

  it('fit the machine', () => {
    expect(targetOf({ arch: 'x64', vnni: true })).toBe(ortCpuX64);
    expect(targetOf({ arch: 'x64', vnni: false })).toBe(ortCpuX64Avx2);
    expect(targetOf({ arch: 'arm64', vnni: false })).toBe(ortCpuArm64);
  });
});
