import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeSafetensors } from '../../src/data/safetensors.ts';
import {
  type CalibrationState,
  decodeStateFile,
  notesOf,
  rangesOf,
  readState,
  stateSchema,
  writeState,
} from '../../src/calibrate/state.ts';
import { sha } from './samples.ts';

const folder = mkdtempSync(join(tmpdir(), 'qdq-state-'));
let files = 0;
const fresh = (): string => join(folder, `${files++}.state`);

const state: CalibrationState = {
  modelSha256: sha,
  tensors: ['input', 'β "quoted"'],
  observer: 'minmax',
  observerOptions: {},
  source: 'images/',
  format: 'image-folder',
  synthetic: false,
  preprocess: 'resize=256 crop=224',
  samples: 32,
  idsHash: 'b'.repeat(64),
  notes: ['a note'],
  arrays: { min: Float32Array.of(-1.5, 0), max: Float32Array.of(0.1, 6) },
};

function written(bytes: Uint8Array): string {
  const path = fresh();
  writeFileSync(path, bytes);
  return path;
}

/** The state's file with its record or arrays changed. */
function forged(change: (record: Record<string, unknown>) => void, arrays = state.arrays): string {
  const path = fresh();
  writeState(path, state);
  const { metadata } = decodeStateFile(readFileSync(path), path);
  const record = JSON.parse(metadata['state']!) as Record<string, unknown>;
  change(record);
  return written(encodeSafetensors({ arrays, metadata: { ...metadata, state: JSON.stringify(record) } }));
}

describe('state files', () => {
  it('come back as they were, and are the same bytes for the same state', () => {
    const [a, b] = [fresh(), fresh()];
    writeState(a, state);
    writeState(b, Object.fromEntries(Object.entries(state).reverse()) as unknown as CalibrationState);
    expect(readState(a, sha)).toEqual(state);
    expect(readFileSync(b)).toEqual(readFileSync(a));
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect([...rangesOf(readState(a))]).toEqual([
      ['input', { min: -1.5, max: Math.fround(0.1) }],
      ['β "quoted"', { min: 0, max: 6 }],
    ]);
    writeState(b, { ...state, remarks: ['of this run'] });
    expect(readFileSync(b)).toEqual(readFileSync(a));
    expect(notesOf({ ...state, remarks: ['of this run'] })).toEqual(['a note', 'of this run']);
    const { preprocess: _, ...rest } = state;
    writeState(a, { ...rest, preprocess: undefined });
    expect(readState(a)).toEqual({ ...state, preprocess: undefined });
  });

  it('are safetensors as others read them', () => {
    const path = fresh();
    writeState(path, state);
    const bytes = readFileSync(path);
    const length = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8')) as Record<string, unknown>;
    expect(header['max']).toEqual({ dtype: 'F32', shape: [2], data_offsets: [8, 16] });
    expect(bytes.readFloatLE(8 + length + 12)).toBe(6);
    expect(bytes.length).toBe(8 + length + 16);
    expect((8 + length) % 8).toBe(0);
  });

  it('cut anywhere, are refused as cut', () => {
    const path = fresh();
    writeState(path, state);
    const bytes = readFileSync(path);
    for (let length = 0; length < bytes.length; length += 7) {
      const cut = written(bytes.subarray(0, length));
      expect(() => readState(cut)).toThrow(expect.objectContaining({ code: 'CALIBRATE_STATE_TRUNCATED' }));
    }
  });

  it('of other kinds are refused', () => {
    const foreign = expect.objectContaining({ code: 'CALIBRATE_STATE_FOREIGN' });
    expect(() => readState(written(new TextEncoder().encode('{"not": "a state"}')))).toThrow(foreign);
    expect(() => readState(written(new Uint8Array(64)))).toThrow(foreign);
    expect(() => readState(written(encodeSafetensors({ arrays: state.arrays, metadata: {} })))).toThrow(foreign);
    expect(() => readState(forged((record) => delete record['samples']))).toThrow(foreign);
    expect(() => readState(forged((record) => (record['extra'] = 1)))).toThrow(foreign);
    expect(() => readState(forged(() => {}, { min: Float32Array.of(1), max: Float32Array.of(2) }))).toThrow(foreign);
    expect(() => readState(forged(() => {}, { min: new Float64Array(2), max: new Float64Array(2) }))).toThrow(foreign);
    expect(() => readState(join(folder, 'nothing'))).toThrow(
      expect.objectContaining({ code: 'CALIBRATE_STATE_NOT_FOUND' }),
    );
    expect(() => readState(folder)).toThrow(expect.objectContaining({ code: 'CALIBRATE_STATE_UNREADABLE' }));
  });

  it('of newer schemas, other models and unknown observers are refused', () => {
    const newer = forged((record) => Object.assign(record, { schema: stateSchema + 1, shape: 'unknown' }));
    expect(() => readState(newer)).toThrow(expect.objectContaining({ code: 'CALIBRATE_STATE_NEWER' }));
    const unknown = forged((record) => (record['observer'] = 'crystal-ball'));
    expect(() => readState(unknown)).toThrow(expect.objectContaining({ code: 'CALIBRATE_OBSERVER' }));
    const path = fresh();
    writeState(path, state);
    expect(() => readState(path, 'c'.repeat(64))).toThrow(expect.objectContaining({ code: 'CALIBRATE_STATE_MODEL' }));
  });
});

describe('safetensors', () => {
  it('keeps every array and text', () => {
    const array = fc.oneof(fc.float32Array(), fc.float64Array(), fc.uint8Array(), fc.int32Array(), fc.bigUint64Array());
    const name = fc.string().filter((text) => text !== '__metadata__' && text !== '__proto__');
    fc.assert(
      fc.property(fc.dictionary(name, array), fc.dictionary(name, fc.string()), (arrays, metadata) => {
        const back = decodeStateFile(encodeSafetensors({ arrays, metadata }), 'x');
        expect(back).toEqual({ arrays: { ...arrays }, metadata: { ...metadata } });
      }),
    );
  });

  it('never fails but by a named error', () => {
    const seed = encodeSafetensors({ arrays: state.arrays, metadata: { a: 'b' } });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(seed.length - 1), fc.nat(255)), { minLength: 1 }), (changes) => {
        const bytes = seed.slice();
        for (const [at, byte] of changes) bytes[at] = byte;
        try {
          decodeStateFile(bytes, 'x');
        } catch (error) {
          expect(error).toMatchObject({ name: 'QdqError' });
        }
      }),
    );
  });
});
