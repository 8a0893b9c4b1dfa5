/**
 * What the generated history says, as questions: when an operator changed, how, and whether the nodes that exist must change with it.
 */
import { history, irVersions } from './history.ts';

/** The oldest opset: below it, attributes such as `broadcast` gave operators another meaning. onnxruntime begins here too. */
export const oldestOpset = 7;
/** The newest opset: every change up to it was read, and onnxruntime 1.30 runs it. */
export const newestOpset = 26;

/** A changed schema: more types, something optional, the description alone, or anything else. */
type ChangeKind = 'types' | 'optional' | 'description' | 'breaking';

const kinds: Readonly<Record<string, ChangeKind>> = { t: 'types', o: 'optional', d: 'description', x: 'breaking' };

/** A version of an operator: the opset at which its schema changed. */
export interface OperatorVersion {
  readonly version: number;
  /** How it differs from the version before; undefined for the first. */
  readonly change: ChangeKind | undefined;
}

const versions = new Map<string, readonly OperatorVersion[]>(
  Object.entries(history).map(([opType, words]) => [
    opType,
    words.split(' ').map((word) => ({ version: Number.parseInt(word, 10), change: kinds[word.at(-1)!] })),
  ]),
);

/** Every operator of ai.onnx. */
export const operators: readonly string[] = [...versions.keys()];

/** The versions of an operator, oldest first; none for one that is not of ai.onnx. */
export function versionsOf(opType: string): readonly OperatorVersion[] {
  return versions.get(opType) ?? [];
}

/** The version of an operator that holds at this opset, or undefined when it came later or never. */
export function versionAt(opType: string, opset: number): number | undefined {
  return versionsOf(opType).findLast(({ version }) => version <= opset)?.version;
}

/** The least IR version that may carry this opset and initializers that are no graph inputs. */
export function leastIrVersion(opset: number): number {
  return Math.max(irVersions[opset] ?? 0, 4);
}

/** Breaking changes without an adapter, each with the reason why it breaks no node. */
const harmless: ReadonlyMap<string, string> = new Map([
  ['Erf 13', 'integer types were dropped, which no runtime ever had'],
]);

/**
 * Whether a change of an operator leaves the nodes that exist alone. More types, optional additions whose default is the old
 * behaviour, and clearer descriptions do; every change up to `newestOpset` was read, and those that do change a meaning have an
 * adapter.
 */
export function isCompatible(opType: string, { version, change }: OperatorVersion): boolean {
  return change !== 'breaking' || harmless.has(`${opType} ${version}`);
}

/**
 * Operators that onnxruntime defines in the default domain for every opset, and that its optimizer and exporters for language
 * models leave in files older than the standard's operator of that name.
 */
export const runtimeOperators: ReadonlySet<string> = new Set(['LayerNormalization', 'SimplifiedLayerNormalization']);
