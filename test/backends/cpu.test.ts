import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cpuInfo, cpuinfoFeatures, sysctlFeatures } from '../../src/backends/cpu.ts';

describe('cpuinfoFeatures', () => {
  it('reads the first processor of x86 and arm texts', () => {
    const x86 = 'processor\t: 0\nflags\t\t: fpu avx2 avx512_vnni fpu\nbugs\t: x\n\nprocessor\t: 1\nflags\t\t: other\n';
    expect(cpuinfoFeatures(x86)).toEqual(['avx2', 'avx512_vnni', 'fpu']);
    expect(cpuinfoFeatures('Features\t: fp asimd asimddp\n')).toEqual(['asimd', 'asimddp', 'fp']);
    expect(cpuinfoFeatures('vmx flags\t: none\n')).toEqual([]);
  });
});

describe('sysctlFeatures', () => {
  it('gives Linux names to what macOS lists', () => {
    const intel = 'machdep.cpu.features: SSE4.2 AVX1.0\nmachdep.cpu.leaf7_features: AVX2 AVX512VNNI\n';
    expect(sysctlFeatures(intel)).toEqual(['avx', 'avx2', 'avx512_vnni', 'sse4_2']);
    const apple = 'hw.optional.arm.FEAT_DotProd: 1\nhw.optional.arm.FEAT_I8MM: 0\nhw.optional.neon: 1\n';
    expect(sysctlFeatures(apple)).toEqual(['asimddp', 'neon']);
  });
});

describe('cpuInfo', () => {
  it('describes this machine', () => {
    const info = cpuInfo();
    expect(info.arch).toBe(process.arch);
    expect(info.logicalCores).toBeGreaterThan(0);
    if (process.platform !== 'linux') return;
    const words = readFileSync('/proc/cpuinfo', 'utf8').split(/\s+/);
    expect(info.avx2).toBe(words.includes('avx2'));
    expect(info.vnni).toBe(words.includes('avx512_vnni') || words.includes('avx_vnni'));
  });
});
