/**
 * Every setting of qdq, once. Its key is the recipe's, its flag the key in kebab-case, its option of the library the key (unless the row
 * says otherwise), so that a word means the same everywhere. To add a setting: a row in one of the tables, and the code that reads it.
 */
import { data } from './data.ts';
import { general } from './general.ts';
import { quantization } from './quantization.ts';
import { result } from './result.ts';
import { flagName, type Setting } from './setting.ts';
import { every, type FormatName, type Stage } from './stages.ts';
import { training } from './training.ts';

export type Settings = typeof data & typeof quantization & typeof training & typeof result & typeof general;

/** In the order of help. Its type is named, so that published types refer to the rows and their doc comments instead of repeating the types. */
export const settings: Settings = { ...data, ...quantization, ...training, ...result, ...general };

export type SettingName = keyof Settings;

export const settingNames = Object.keys(settings) as readonly SettingName[];

/** The settings that a stage reads, in the order of help. */
export type NamesOf<S extends Stage> = {
  [K in SettingName]: S extends Settings[K]['stages'][number] ? K : never;
}[SettingName];

/** The settings that some formats read and others refuse. */
export type FormatSetting = {
  [K in SettingName]: NonNullable<Settings[K]['formats']> extends readonly [] ? never : K;
}[SettingName];

export type ValueOf<K extends SettingName> = Settings[K]['schema']['_output'];

/** The doc comments of the rows come along with types that are picked from this one; with names that are mapped there would be none. */
type AllValues = { readonly [K in keyof Settings]: ValueOf<K> };

type Defaulted<N extends SettingName> = { [K in N]: undefined extends Settings[K]['default'] ? never : K }[N];

/** Always there when they have a default, else left out. */
export type Values<N extends SettingName> = Pick<AllValues, Defaulted<N>> &
  Partial<Pick<AllValues, Exclude<N, Defaulted<N>>>>;

/** Those that the library calls otherwise, or does not have. */
type NotByKey = { [K in SettingName]: [NonNullable<Settings[K]['option']>] extends [never] ? never : K }[SettingName];

/** The settings of a stage that the library calls by their keys, without what its functions say by themselves (options.ts). */
export type OptionsOf<S extends Stage> = Values<Exclude<NamesOf<S>, NotByKey | 'output' | 'threads'>>;

export type DefaultedName = Defaulted<SettingName>;

/** The settings that any of these stages reads, in the order of help. */
export function namesOf<const S extends Stage>(...readers: readonly S[]): NamesOf<S>[] {
  return settingNames.filter((name): name is NamesOf<S> => readers.some((stage) => row(name).stages.includes(stage)));
}

/** What every command takes. */
export const commonNames = settingNames.filter((name) => row(name).stages.length === every.length);

/** The settings that formats read which are not read by all of them, with their readers. */
export const formatSettings = settingNames.filter(
  (name) => row(name).formats !== undefined,
) as readonly FormatSetting[];

export function isReadBy(format: FormatName, name: FormatSetting): boolean {
  return row(name).formats!.includes(format);
}

export function row(name: SettingName): Setting {
  return settings[name] as Setting;
}

/** `perTensor` → `per-tensor`, without the dashes. */
export function flagOf(name: SettingName): string {
  return row(name).flag ?? flagName(name);
}
