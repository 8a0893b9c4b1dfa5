/** Load and save of a 1.9 GB model: memory must not follow the model, time must stay near a file copy. */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeModel } from '../../src/onnx/model-file.ts';
import { measure, median, result, type BenchResult } from './bench.ts';

const megabyte = 2 ** 20;
const tensors = 19;
const tensorBytes = 100 * megabyte;
const rounds = 5;

/** 19 tensors of 100 MB, written by hand: the payloads follow the small messages at the end of the file as zeros and noise. */
function writeModel(path: string): void {
  const dims = [tensorBytes / 4];
  const fd = openSync(path, 'w');
  const noise = new Uint8Array(megabyte).map((_, i) => (i * 2654435761) >>> 24);
  const varint = (value: number): number[] => {
    const bytes: number[] = [];
    for (let rest = value; ; rest = Math.floor(rest / 128)) {
      bytes.push(rest >= 128 ? (rest % 128) | 128 : rest);
      if (rest < 128) return bytes;
    }
  };
  const head = Array.from({ length: tensors }, (_, i) => {
    const name = new TextEncoder().encode(`w${i}`);
    const fields = [8, ...varint(dims[0]!), 16, 1, 66, ...varint(name.length), ...name, 74, ...varint(tensorBytes)];
    return Uint8Array.from([42, ...varint(fields.length + tensorBytes), ...fields]);
  });
  const graphBytes = head.reduce((sum, bytes) => sum + bytes.length + tensorBytes, 0);
  writeSync(
    fd,
    Uint8Array.from([...encodeModel({ irVersion: 8, opsetImport: [{ version: 17 }] }), 58, ...varint(graphBytes)]),
  );
  for (const bytes of head) {
    writeSync(fd, bytes);
    for (let done = 0; done < tensorBytes; done += noise.length) writeSync(fd, noise);
  }
  closeSync(fd);
}

export async function run(): Promise<BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'qdq-bench-'));
  try {
    const [input, output, copy] = ['in.onnx', 'out.onnx', 'copy.onnx'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeModel(input);
    const script = fileURLToPath(new URL('./load-save.js', import.meta.url));
    const [copies, saves, peaks]: number[][] = [[], [], []];
    for (let round = 0; round < rounds; round++) {
      // Each starts with nothing left to be written back and with the page cache that the other has given up: the second
      // would pay for the first otherwise.
      await measure('sync', []);
      copies!.push((await measure('cp', [input, copy])).seconds);
      rmSync(copy);
      await measure('sync', []);
      const saved = await measure(process.execPath, [script, input, output]);
      saves!.push(saved.seconds);
      peaks!.push(saved.megabytes);
      rmSync(output);
    }
    const detail = `load + save ${median(saves!).toFixed(2)} s, copy ${median(copies!).toFixed(2)} s`;
    return [
      result(
        'codec: load + save of 1.9 GB, time over a file copy',
        median(saves!) / median(copies!),
        'ratio',
        2,
        detail,
      ),
      result('codec: load + save of 1.9 GB, peak memory', Math.max(...peaks!), 'MB', 150, `${rounds} rounds`),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
