import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { checkRuntimeVersion, triedRuntimes } from '../../src/backends/runtime.ts';

it.each(['1.22.0', '1.25.1', '0.9.0'])('refuses onnxruntime-node %s, and names one to install', (version) => {
  expect(() => checkRuntimeVersion(version)).toThrow(
    expect.objectContaining({ code: 'BACKEND_TOO_OLD', hint: expect.stringContaining(triedRuntimes.at(-1)!) }),
  );
});

it.each(['1.26.0', '1.30.0', '1.31.0', '2.0.0', undefined])('takes %s', (version) => {
  expect(() => checkRuntimeVersion(version)).not.toThrow();
});

it('pins what the internals of qdq rely on', () => {
  const { dependencies } = createRequire(import.meta.url)('qdq/package.json') as {
    dependencies: Record<string, string>;
  };
  expect(dependencies['onnxruntime-node']).toBe(triedRuntimes.at(-1));
  expect(dependencies['protobufjs']).toMatch(/^\d+\.\d+\.\d+$/);
});
