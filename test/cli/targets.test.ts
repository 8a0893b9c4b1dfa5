/** `--target` from quantize to lint, and `backends`. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digits, run, temporaryFolder } from './run.ts';

describe('targets', () => {
  it('quantize --target tensorrt keeps its rules; lint says so, and finds what another target breaks', async () => {
    const output = join(temporaryFolder(), 'trt.onnx');
    const data = ['--data', 'random', '--samples', '4', '--no-report', '--quiet'];
    expect((await run(['quantize', digits, '--target', 'tensorrt', ...data, '-o', output])).exitCode).toBe(0);
    const kept = await run(['lint', output, '--target', 'tensorrt']);
    expect(kept.exitCode).toBe(0);
    expect(kept.stdout).toMatch(/keeps every rule of tensorrt/);
    const broken = await run(['lint', output, '--target', 'qnn', '--json']);
    expect(broken.exitCode).toBe(1);
    const { findings } = JSON.parse(broken.stdout) as { findings: { rule: string; remedy: string }[] };
    expect(findings.map(({ rule }) => rule)).toContain('activation-type');
  });

  it('a type that the target lacks ends with exit code 2 and the types it has', async () => {
    const words = ['quantize', digits, '--data', 'random', '--target', 'tensorrt', '--activation-type', 'u8'];
    const { exitCode, stderr } = await run(words);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/target tensorrt runs no uint8 activations/);
    expect(stderr).toMatch(/use --activation-type s8/);
  });

  it('backends: every target, one of them this machine, and kernels that run here', async () => {
    const { exitCode, stdout } = await run(['backends', '--json']);
    expect(exitCode).toBe(0);
    const result = JSON.parse(stdout) as {
      targets: { name: string; thisMachine: boolean }[];
      kernels: { id: string; status: string }[];
      speeds: { speedup: number }[];
    };
    expect(result.targets.filter(({ thisMachine }) => thisMachine)).toHaveLength(1);
    const status = new Map(result.kernels.map((kernel) => [kernel.id, kernel.status]));
    expect(status.get('QLinearConv u8 x s8')).toBe('runs');
    expect(status.get('QLinearConv s8 x u8')).toBe('refused');
    expect(status.get('MatMulNBits 4 bits, accuracy level 4')).toBe('runs');
    expect(result.speeds.every(({ speedup }) => speedup > 0)).toBe(true);
  });
});
