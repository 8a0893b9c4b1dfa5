/** The rules of the house that a machine can check: who imports whom, and who may know Node. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));

/** The flow. A room imports rooms that stand before it, and leaves. */
const flow = [
  'onnx',
  'graph',
  'opset',
  'settings',
  'ops',
  'intrinsic',
  'data',
  'backends',
  'quantizable',
  'calibrate',
  'quantized',
  'improve',
  'compare',
  'report',
  'parallel',
  'qat',
  'pipeline',
  'inspect',
  'machine',
  'cli',
];
/** Every room imports them; of others they import nothing but types. */
const leaves = ['errors', 'process'];
/** The library's entry is the one file outside: it imports any room, and none imports it. */
const entry = 'index.ts';
/** Rooms that run anywhere: files, threads and onnxruntime stand behind interfaces. */
const portable = ['graph', 'opset', 'ops', 'intrinsic', 'quantizable', 'quantized', 'compare/metrics', 'report'];

function files(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : path.endsWith('.ts') ? [path] : [];
  });
}

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

const imports: Import[] = files(src).flatMap((path) =>
  [
    ...readFileSync(path, 'utf8').matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from '([^']+)'|import\('([^']+)'\)/gm),
  ].map((m) => ({
    from: relative(src, path),
    to: (m[2] ?? m[3])!.startsWith('.') ? relative(src, resolve(dirname(path), (m[2] ?? m[3])!)) : (m[2] ?? m[3])!,
    typeOnly: m[1] !== undefined,
  })),
);

const roomOf = (path: string): string => path.split('/')[0]!;

describe('the rooms', () => {
  it('hold every file', () => {
    const known = [...flow, ...leaves, entry];
    const paths = files(src).map((path) => relative(src, path));
    expect(paths.filter((path) => !known.includes(roomOf(path)))).toEqual([]);
  });

  it('import only what stands before them', () => {
    const wrong = imports.filter(({ from, to, typeOnly }) => {
      if (to.startsWith('node:') || !to.endsWith('.ts')) return false;
      const [a, b] = [roomOf(from), roomOf(to)];
      if (a === b || a === entry || leaves.includes(b)) return false;
      if (leaves.includes(a)) return !typeOnly;
      return b === entry || flow.indexOf(b) > flow.indexOf(a);
    });
    expect(wrong).toEqual([]);
  });

  it('know Node only where they must', () => {
    const wrong = imports.filter(({ from, to }) => {
      if (!portable.some((room) => from.startsWith(`${room}/`))) return false;
      return to.startsWith('node:') || to === 'onnxruntime-node' || to === 'sharp';
    });
    expect(wrong).toEqual([]);
  });

  it('have no file without a head comment', () => {
    const bare = files(src).filter((path) => !/^(#!.*\n)?\/\*\*/.test(readFileSync(path, 'utf8')));
    expect(bare.map((path) => relative(src, path))).toEqual([]);
  });
});
