/** A rule of a target: what it demands of a finished model, and where the model breaks it. */
import type { Target } from '../../backends/targets/target.ts';
import type { Model } from '../../graph/model.ts';
import type { Quantizers } from './quantizers.ts';

export interface LintFinding {
  /** Id of the rule. */
  readonly rule: string;
  /** The node that breaks it; undefined when it is the model as a whole. */
  readonly node: string | undefined;
  /** The tensor, where one is meant. */
  readonly tensor: string | undefined;
  readonly message: string;
  readonly remedy: string;
}

export interface Subject {
  readonly model: Model;
  readonly target: Target;
  readonly quantizers: Quantizers;
}

/** What a rule says of one place. */
export interface Breach {
  readonly node?: string;
  readonly tensor?: string;
  readonly message: string;
  readonly remedy: string;
}

export interface LintRule {
  readonly id: string;
  /** What it demands, for lists of rules; undefined when it demands nothing of this target. */
  text(target: Target): string | undefined;
  check(subject: Subject): Iterable<Breach>;
}

/** 'uint8' as flags say it: u8. */
export const short = (type: string): string => type.replace('uint', 'u').replace('int', 's');

export const listed = (words: readonly string[], last = 'or'): string =>
  words.length < 2 ? (words[0] ?? 'none') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
