import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openData } from '../../src/data/open.ts';
import { failure, input, readAll, temporaryFolder } from './helpers.ts';

type Entry = readonly [dtype: string, shape: readonly number[], data: ArrayBufferView];

/** Written from the format's description. */
function safetensors(entries: Readonly<Record<string, Entry>>, cut = 0): string {
  const header: Record<string, unknown> = { __metadata__: { made: 'by hand' } };
  const parts: Uint8Array[] = [];
  let end = 0;
  for (const [name, [dtype, shape, { buffer, byteOffset, byteLength }]] of Object.entries(entries)) {
    header[name] = { dtype, shape, data_offsets: [end, (end += byteLength)] };
    parts.push(new Uint8Array(buffer, byteOffset, byteLength));
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const path = join(temporaryFolder(), 'samples.safetensors');
  const bytes = Buffer.concat([length, text, ...parts]);
  writeFileSync(path, bytes.subarray(0, bytes.length - cut));
  return path;
}

const x = Float32Array.of(1, 2, 3, 4, 5, 6);

describe('safetensors', () => {
  it('reads rows by name, with labels', async () => {
    const path = safetensors({
      n: ['I64', [2], BigInt64Array.of(7n, 8n)],
      x: ['F32', [2, 3], x],
      labels: ['U8', [2], Uint8Array.of(4, 2)],
    });
    const dataset = await openData({ path }, [input('x', ['N', 3]), input('n', [], 'int64')]);
    expect(dataset).toMatchObject({ format: 'safetensors', count: 2, labelled: true, preprocess: undefined });
    expect(await readAll(dataset, [1])).toEqual([
      {
        id: 'samples.safetensors#1',
        inputs: {
          x: { type: 'float32', dims: [1, 3], data: Float32Array.of(4, 5, 6) },
          n: { type: 'int64', dims: [], data: BigInt64Array.of(8n) },
        },
        label: 2,
      },
    ]);
  });

  it('reads half floats and feeds a single input whatever it is called', async () => {
    const path = safetensors({ anything: ['F16', [1, 2], Uint16Array.of(0x3c00, 0xc000)] });
    const [sample] = await readAll(await openData({ path }, [input('x', ['N', 2])]));
    expect(sample!.inputs['x']!.data).toEqual(Float32Array.of(1, -2));
  });

  it('refuses what does not fit or is damaged', async () => {
    const inputs = [input('x', ['N', 3])];
    const code = async (path: string) => (await failure(openData({ path }, inputs))).code;
    const good = { x: ['F32', [2, 3], x] } as const;
    expect(await code(safetensors(good, 1))).toBe('DATA_TRUNCATED');
    expect(await code(safetensors(good, 60))).toBe('DATA_TRUNCATED');
    expect(await code(safetensors({ x: ['F32', [2, 4], x] }))).toBe('DATA_SAFETENSORS');
    expect(await code(safetensors({ x: ['F8_E4M3', [24], x] }))).toBe('DATA_SAFETENSORS');
    expect(await code(safetensors({ w: ['F32', [2, 3], x], z: ['F32', [2, 3], x] }))).toBe('DATA_INPUT_MISSING');
    expect(await code(safetensors({ x: ['F32', [2, 3], x], labels: ['F32', [2], x.subarray(0, 2)] }))).toBe(
      'DATA_LABELS',
    );
    const path = safetensors(good);
    writeFileSync(path, 'this is no safetensors file, whatever its name says');
    expect(await code(path)).toBe('DATA_SAFETENSORS');
  });
});
