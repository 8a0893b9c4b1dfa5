/**
 * The rules of the two JUnit schemas in use (Jenkins and Windyroad), as checks over a small XML reader of our own: element order,
 * required attributes and counts that agree with what they count.
 */
import { describe, expect, it } from 'vitest';
import { renderJUnit } from '../../src/report/junit.ts';
import { attacks, hostileReport, layeredReport } from './layered-report.ts';
import { sampleReport } from './sample-report.ts';

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Element[];
  text: string;
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };
const decode = (text: string): string =>
  text.replace(/&([^;&]*);?/g, (whole, name: string) => {
    if (!(name in entities)) throw new Error(`bad entity ${whole}`);
    return entities[name]!;
  });

/** Strict: anything that is not well formed is an error. */
function parseXml(text: string): Element {
  const head = '<?xml version="1.0" encoding="UTF-8"?>\n';
  if (!text.startsWith(head)) throw new Error('no declaration');
  const stack: Element[] = [{ name: '', attributes: {}, children: [], text: '' }];
  const token = /<(\/?)([a-z-]+)((?: [a-z]+="[^"<&]*(?:&[a-z0-9#]+;[^"<&]*)*")*)(\/?)>|([^<]+)/gy;
  token.lastIndex = head.length;
  for (let at = head.length; at < text.length; at = token.lastIndex) {
    const match = token.exec(text);
    if (!match) throw new Error(`not well formed at ${text.slice(at, at + 80)}`);
    const [, closing, name, rest = '', single, data] = match;
    if (data !== undefined) stack.at(-1)!.text += decode(data);
    else if (closing) {
      if (stack.pop()!.name !== name) throw new Error(`${name} closes another element`);
    } else {
      const attributes = Object.fromEntries(
        [...rest.matchAll(/ ([a-z]+)="([^"]*)"/g)].map(([, key, value]) => [key!, decode(value!)]),
      );
      const element: Element = { name: name!, attributes, children: [], text: '' };
      stack.at(-1)!.children.push(element);
      if (!single) stack.push(element);
    }
  }
  if (stack.length !== 1 || stack[0]!.children.length !== 1) throw new Error('unclosed element');
  return stack[0]!.children[0]!;
}

const required: Readonly<Record<string, readonly string[]>> = {
  testsuites: ['name', 'tests', 'failures', 'errors', 'time'],
  testsuite: ['name', 'package', 'id', 'timestamp', 'hostname', 'tests', 'failures', 'errors', 'skipped', 'time'],
  property: ['name', 'value'],
  testcase: ['name', 'classname', 'time'],
  failure: ['message', 'type'],
};
/** What an element may hold, in this order. */
const content: Readonly<Record<string, RegExp>> = {
  testsuites: /^(testsuite )+$/,
  testsuite: /^properties (testcase )*system-out system-err $/,
  properties: /^(property )*$/,
  testcase: /^(failure |skipped )?$/,
  failure: /^$/,
  property: /^$/,
  skipped: /^$/,
  'system-out': /^$/,
  'system-err': /^$/,
};

function check(element: Element): void {
  const { name, attributes, children } = element;
  expect(children.map((child) => `${child.name} `).join('')).toMatch(content[name]!);
  for (const key of required[name] ?? []) expect(attributes[key], `${name} ${key}`).toBeDefined();
  if (name === 'testsuite' || name === 'testsuites') {
    const cases = (name === 'testsuite' ? [element] : children).flatMap((each) =>
      each.children.filter((child) => child.name === 'testcase'),
    );
    const having = (kind: string): string => String(cases.filter((each) => each.children[0]?.name === kind).length);
    expect(attributes['tests']).toBe(String(cases.length));
    expect(attributes['failures']).toBe(having('failure'));
    expect(attributes['skipped']).toBe(having('skipped'));
    expect(attributes['errors']).toBe('0');
  }
  if (name === 'testsuite') expect(attributes['timestamp']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
  if (!['testcase', 'failure', 'system-out'].includes(name)) expect(element.text.trim()).toBe('');
  for (const child of children) check(child);
}

const { created: _created, ...timeless } = layeredReport();

describe('renderJUnit', () => {
  it.each([sampleReport(), layeredReport(), timeless, hostileReport()])('is valid', (report) => {
    check(parseXml(renderJUnit(report)));
  });

  it('has a case per gate in the suite it belongs to', () => {
    const root = parseXml(renderJUnit(layeredReport()));
    const outcomes = Object.fromEntries(
      root.children.map(({ attributes, children }) => [
        attributes['name'],
        children
          .filter(({ name }) => name === 'testcase')
          .map((each) => `${each.attributes['name']}: ${each.children[0]?.name ?? 'passed'}`),
      ]),
    );
    expect(outcomes).toEqual({
      accuracy: ['top1.drop <= 2%: failure'],
      outputs: ['output.sqnr >= 20: passed'],
      tensors: ['tensor.isolated >= 3: passed'],
      structure: [
        'both models load and run in onnxruntime: passed',
        'every output is finite: passed',
        'latency.speedup >= baseline * 90%: passed',
        'size.ratio >= 4: skipped',
      ],
    });
    const outputs = root.children[1]!.children.find(({ name }) => name === 'system-out')!;
    expect(outputs.text).toContain('warning: output.sqnr >= 20.00 dB: measured 17.30 dB');
  });

  it('tells the cause and the next flag', () => {
    const failure = parseXml(renderJUnit(layeredReport())).children[0]!.children[1]!.children[0]!;
    expect(failure.attributes['message']).toContain('top1.drop <= 2.00%');
    expect(failure.text).toContain('clips');
    expect(failure.text).toContain('try --observer mse');
  });

  it('fails when an output is not finite', () => {
    const outputs = [{ ...sampleReport().outputs[0]!, nonFinite: 3 }];
    const structure = parseXml(renderJUnit(sampleReport({ outputs }))).children[3]!;
    expect(structure.attributes['failures']).toBe('1');
  });

  it('keeps hostile names as text', () => {
    const root = parseXml(renderJUnit(hostileReport()));
    const names = root.children.flatMap(({ children }) => children.map(({ attributes }) => attributes['name'] ?? ''));
    expect(names).toContain(`output[${attacks[0]}].sqnr >= 20`);
    expect(names).toContain(`output[${attacks[4]}].sqnr >= 20`);
  });
});
