/** All targets by name, and the one this machine is. To add a target: write it in the file of its kind and list it here. */
import { coreMl, nnapi, qnn } from './mobile.ts';
import { openVino, tensorRt } from './toolkits.ts';
import { ortCpuArm64, ortCpuX64, ortCpuX64Avx2, ortWeb, ortWebGpu } from './onnxruntime-cpu.ts';
import type { Target } from './target.ts';

/** Every target, in the order in which they are listed to users. */
export const targets: readonly Target[] = [
  ortCpuX64,
  ortCpuX64Avx2,
  ortCpuArm64,
  ortWeb,
  ortWebGpu,
  tensorRt,
  qnn,
  openVino,
  nnapi,
  coreMl,
];

/** The target that describes a machine of this architecture. */
export function targetOf(machine: { readonly arch: string; readonly vnni: boolean }): Target {
  if (machine.arch === 'arm64') return ortCpuArm64;
  return machine.vnni ? ortCpuX64 : ortCpuX64Avx2;
}
