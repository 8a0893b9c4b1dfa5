/**
 * What this machine's CPU can do, as far as int8 speed and exactness depend on it. x64 CPUs with AVX2 but without VNNI add
 * pairs of u8×s8 products in 16 bits, which saturates; VNNI machines are exact and faster.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';

/** The CPU of this machine. */
export interface CpuInfo {
  readonly model: string;
  /** As Node names it: x64, arm64, ... */
  readonly arch: string;
  /** Instruction sets in lower case as Linux names them, sorted; empty where they cannot be read. */
  readonly features: readonly string[];
  /** AVX-512 VNNI or AVX-VNNI. */
  readonly vnni: boolean;
  readonly avx2: boolean;
  /** Logical cores this process may use. */
  readonly logicalCores: number;
}

let cached: CpuInfo | undefined;

/** Describes the CPU, once per process. */
export function cpuInfo(): CpuInfo {
  return (cached ??= describe(cpus()[0]?.model.trim() ?? 'unknown', readFeatures()));
}

function describe(model: string, features: readonly string[]): CpuInfo {
  const has = (name: string): boolean => features.includes(name);
  return {
    model,
    arch: process.arch,
    features,
    vnni: has('avx512_vnni') || has('avx_vnni'),
    avx2: has('avx2'),
    logicalCores: availableParallelism(),
  };
}

/** Not being able to tell is an answer (no features), never a failure of the command. */
function readFeatures(): string[] {
  try {
    if (process.platform === 'linux') return cpuinfoFeatures(readFileSync('/proc/cpuinfo', 'utf8'));
    if (process.platform === 'darwin')
      return sysctlFeatures(execFileSync('sysctl', ['-a'], { encoding: 'utf8', maxBuffer: 2 ** 24 }));
  } catch {
    return [];
  }
  return [];
}

/** The flags of the first processor in a /proc/cpuinfo text: `flags` on x86, `Features` on arm. */
export function cpuinfoFeatures(text: string): string[] {
  const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(text)?.[1] ?? '';
  return sorted(line.split(/\s+/));
}

const darwinNames: Readonly<Record<string, string>> = {
  avx1_0: 'avx',
  avx512vnni: 'avx512_vnni',
  avx2_0: 'avx2',
  feat_dotprod: 'asimddp',
  feat_i8mm: 'i8mm',
  feat_fp16: 'asimdhp',
  feat_bf16: 'bf16',
};

/** The features in a `sysctl -a` text, under the names that Linux gives them where it has one. */
export function sysctlFeatures(text: string): string[] {
  const found: string[] = [];
  for (const line of text.split('\n')) {
    const names = /^machdep\.cpu\.(?:leaf7_)?features:\s*(.*)$/.exec(line)?.[1];
    if (names !== undefined) found.push(...names.toLowerCase().split(/\s+/));
    const optional = /^hw\.optional\.(?:arm\.)?(\w+):\s*1$/.exec(line)?.[1];
    if (optional !== undefined) found.push(optional.toLowerCase());
  }
  return sorted(found.map((name) => name.replaceAll('.', '_')).map((name) => darwinNames[name] ?? name));
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].filter((name) => name !== '').sort();
}
