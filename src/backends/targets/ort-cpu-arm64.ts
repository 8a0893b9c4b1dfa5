/** onnxruntime on ARM64, whose dot-product instructions take signed bytes on both sides. */
import { ortCpuX64 } from './ort-cpu-x64.ts';
import type { Target } from './target.ts';

export const ortCpuArm64: Target = {
  ...ortCpuX64,
  name: 'ort-cpu-arm64',
  summary: 'onnxruntime on ARM64 CPUs (Apple silicon, Graviton, phones)',
  scheme: { ...ortCpuX64.scheme, activationType: 'int8' },
};
