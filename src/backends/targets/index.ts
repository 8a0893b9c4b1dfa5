/** All targets by name, and the one this machine is. To add a target: write its file and list it here. */
import { coreMl } from './coreml.ts';
import { nnapi } from './nnapi.ts';
import { openVino } from './openvino.ts';
import { ortCpuArm64 } from './ort-cpu-arm64.ts';
import { ortCpuX64, ortCpuX64Avx2 } from './ort-cpu-x64.ts';
import { ortWeb, ortWebGpu } from './ort-web.ts';
import { qnn } from './qnn.ts';
import { tensorRt } from './tensorrt.ts';
import type { Target } from './target.ts';

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
