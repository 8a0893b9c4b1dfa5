/**
 * --override "PATTERN: key=value, ...": settings for single nodes, under the names of the flags that say the same of the whole model.
 * Later overrides win, key by key. Parsing is strict; which formats share a model is for quantized/formats/mixed.ts to say.
 */
import type { ActivationType, WeightType } from '../backends/targets/target.ts';
import { overrideErrors } from '../errors/quantizable.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { ValueOf } from '../settings/settings.ts';
import { compilePatterns } from './selection.ts';

/** What an override may set. */
export interface OverrideSettings {
  /** A format, or "float". */
  readonly format?: string;
  readonly activationType?: ActivationType;
  readonly weightType?: WeightType;
  readonly perTensor?: boolean;
  readonly symmetric?: boolean;
  readonly reduceRange?: boolean;
  readonly weightObserver?: ValueOf<'weightObserver'>;
  readonly weightBits?: number;
  readonly blockSize?: number;
  readonly weightMethod?: 'rtn' | 'hqq';
  readonly accuracyLevel?: number;
}

/** One --override. */
export interface Override {
  /** As the user wrote it. */
  readonly text: string;
  readonly pattern: string;
  readonly settings: OverrideSettings;
}

/** What holds for one node. */
export interface NodeOverride {
  readonly text: string;
  readonly settings: OverrideSettings;
}

/** Reads the value of a key, or says what it expects. */
type Reader = { readonly expects: string; read(word: string): unknown };

const choice = (words: readonly string[], value: (word: string) => unknown = (word) => word): Reader => ({
  expects: words.join(', '),
  read: (word) => (words.includes(word) ? value(word) : undefined),
});
const number: Reader = {
  expects: 'a whole number',
  read: (word) => (/^\d+$/.test(word) ? Number(word) : undefined),
};
const flag = choice(['true', 'false'], (word) => word === 'true');
/** u8 → uint8 */
const integer = (words: readonly string[]): Reader =>
  choice(words, (word) => `${word.startsWith('u') ? 'uint' : 'int'}${word.slice(1)}`);

const keys: Readonly<Record<string, Reader>> = {
  format: choice(['qdq', 'qoperator', 'dynamic', 'weight-only', 'fp16', 'float']),
  'activation-type': integer(['u8', 's8', 'u16', 's16']),
  'weight-type': integer(['s8', 'u8', 's4', 'u4']),
  'per-tensor': flag,
  symmetric: flag,
  'reduce-range': flag,
  'weight-observer': choice(['max', 'mse']),
  'weight-bits': number,
  'block-size': number,
  'weight-method': choice(['rtn', 'hqq']),
  'accuracy-level': number,
};

/** @throws OVERRIDE_SYNTAX, OVERRIDE_KEY, OVERRIDE_VALUE, OVERRIDE_TWICE, OVERRIDE_FLOAT */
export function parseOverride(text: string): Override {
  // A name or an expression may hold colons itself; settings do not.
  const colon = text.lastIndexOf(':');
  const pattern = text.slice(0, Math.max(0, colon)).trim();
  const words = text
    .slice(colon + 1)
    .split(/[\s,]+/)
    .filter((word) => word !== '');
  if (pattern === '' || words.length === 0) throw overrideErrors.syntax(text);
  const settings: Record<string, unknown> = {};
  for (const word of words) {
    const [, key, value] = /^([^=]+)=(.+)$/.exec(word) ?? [];
    if (key === undefined || value === undefined) throw overrideErrors.syntax(text);
    if (!Object.hasOwn(keys, key)) throw overrideErrors.key(text, key, Object.keys(keys));
    const setting = key.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
    if (setting in settings) throw overrideErrors.twice(text, key);
    const { read, expects } = keys[key]!;
    const meant = read(value);
    if (meant === undefined) throw overrideErrors.value(text, key, value, expects);
    settings[setting] = meant;
  }
  if (settings['format'] === 'float' && words.length > 1) throw overrideErrors.float(text);
  return { text, pattern, settings };
}

/**
 * What holds for each node that an override names.
 * @param fused original label → surviving label
 * @throws PLAN_NO_MATCH, PLAN_BAD_PATTERN
 */
export function overridden(
  model: Model,
  overrides: readonly Override[],
  fused: ReadonlyMap<string, string> | undefined,
): Map<Node, NodeOverride> {
  const patterns = overrides.map(({ pattern }) => pattern);
  const tests = compilePatterns(model, 'override', patterns, fused).map(({ test }) => test);
  const found = new Map<Node, NodeOverride>();
  for (const node of model.allNodes()) {
    const holding = overrides.filter((_, index) => tests[index]!(node));
    if (holding.length === 0) continue;
    found.set(node, {
      text: holding.map(({ text }) => text).join("' and '"),
      settings: Object.assign({}, ...holding.map(({ settings }) => settings)) as OverrideSettings,
    });
  }
  return found;
}
