import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { withoutTimes } from '../../src/compare/verdict.ts';
import { readReport, writeReport } from '../../src/compare/report-file.ts';
import { canonicalJson, reportSchemaText, type Report } from '../../src/compare/report.ts';
import { renderJson } from '../../src/report/raw.ts';
import { hostileReport, layeredReport } from '../report/layered-report.ts';
import { output, sampleReport } from '../report/sample-report.ts';
import { temporaryFolder } from './support.ts';

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);

const extreme = (): Report =>
  sampleReport({
    outputs: [{ ...output, sqnrDb: Infinity, cosine: NaN, maxAbs: -Infinity, argmaxAgreement: null }],
    recipe: { observer: 'minmax', exclude: ['a'] },
    data: { ...sampleReport().data, calibration: { n: 3, idsHash: null, source: 'stream' } },
  });

describe('report files', () => {
  it('come back as they were, infinities and NaN included', () => {
    writeReport(path('a.json'), extreme());
    expect(readReport(path('a.json'))).toEqual(extreme());
    expect(readFileSync(path('a.json'), 'utf8')).toBe(renderJson(extreme()));
    expect(readFileSync(path('a.json'), 'utf8')).toContain('"sqnrDb": "Infinity"');
    expect(readdirSync(folder)).toEqual(['a.json']);
  });

  it('have one text, whatever the order of keys', () => {
    const reversed = Object.fromEntries(Object.entries(sampleReport()).reverse());
    expect(canonicalJson(reversed)).toBe(canonicalJson(sampleReport()));
    expect(canonicalJson({ b: [{ d: 1, c: -0 }], a: undefined })).toBe(
      '{\n  "b": [\n    {\n      "c": 0,\n      "d": 1\n    }\n  ]\n}\n',
    );
  });

  it('do not depend on the clock when reproducible', () => {
    const slow = sampleReport({
      created: '2027-01-01T00:00:00.000Z',
      verdict: 'warn',
      warnings: [{ code: 'SLOWER', message: 'slower' }],
      gates: [
        {
          id: 'latency.speedup >= 9',
          metric: 'latency.speedup',
          level: 'warn',
          op: '>=',
          bound: 9,
          value: 0.5,
          unit: 'times',
          pass: false,
        },
      ],
    });
    writeReport(path('slow.json'), slow, { reproducible: true });
    writeReport(path('fast.json'), sampleReport(), { reproducible: true });
    expect(readFileSync(path('slow.json'), 'utf8')).toBe(readFileSync(path('fast.json'), 'utf8'));
    expect(readReport(path('slow.json')).verdict).toBe('pass');
    expect(withoutTimes(slow).cost).toEqual({
      bytesFloat: 44_700_123,
      bytesQuant: 11_401_456,
      ratio: 44_700_123 / 11_401_456,
    });
  });

  it('are whole or absent', () => {
    mkdirSync(path('taken'));
    expect(() => writeReport(path('taken'), sampleReport())).toThrow(
      expect.objectContaining({ code: 'REPORT_UNWRITABLE' }),
    );
    expect(() => writeReport(path('no/such/a.json'), sampleReport())).toThrow(
      expect.objectContaining({ code: 'REPORT_UNWRITABLE' }),
    );
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

describe('readReport', () => {
  const refuses = (name: string, text: string, code: string, message: RegExp): void => {
    writeFileSync(path(name), text);
    expect(() => readReport(path(name))).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  };

  it('says what is wrong and where', () => {
    expect(() => readReport(path('absent.json'))).toThrow(expect.objectContaining({ code: 'REPORT_NOT_FOUND' }));
    refuses('cut.json', '{"schema": 1,', 'REPORT_NOT_JSON', /cut\.json/);
    refuses('v2.json', '{"schema": 2}', 'REPORT_VERSION', /schema 2, this qdq reads schema 1/);
    refuses('other.json', '[]', 'REPORT_VERSION', /missing/);
    const broken = { ...sampleReport(), outputs: [{ ...output, sqnrDb: 'high' }] };
    refuses('bad.json', JSON.stringify(broken), 'REPORT_INVALID', /outputs\.0\.sqnrDb/);
    refuses('extra.json', JSON.stringify({ ...sampleReport(), surprise: 1 }), 'REPORT_INVALID', /surprise/);
  });
});

describe('report.schema.json', () => {
  const file = readFileSync(new URL('../../report.schema.json', import.meta.url), 'utf8');

  it('is what the table says: npm run schema', () => {
    expect(file).toBe(reportSchemaText());
  });

  it('takes reports as they are written, and refuses others', () => {
    const validate = new Ajv2020({ strict: false, formats: { 'date-time': true } }).compile(JSON.parse(file) as object);
    for (const report of [sampleReport(), layeredReport(30), hostileReport(), extreme()]) {
      const written: unknown = JSON.parse(renderJson(report));
      expect(validate(written), JSON.stringify(validate.errors)).toBe(true);
    }
    expect(validate({ ...sampleReport(), verdict: 'maybe' })).toBe(false);
    expect(validate({ ...sampleReport(), extra: 1 })).toBe(false);
  });
});
