import { describe, expect, it } from 'vitest';
import { ortCpuArm64 } from '../../src/backends/targets/ort-cpu-arm64.ts';
import { ortCpuX64, ortCpuX64Avx2 } from '../../src/backends/targets/ort-cpu-x64.ts';
import { targetOf } from '../../src/backends/targets/index.ts';
import { findTarget, leastOpset, resolveScheme, type SchemeRequest } from '../../src/quantizable/scheme.ts';

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
