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

/** In the order of help. */
export const settings = { ...data, ...quantization, ...training, ...result, ...general };

export type Settings = typeof settings;
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

/** Always there when they have a default, else left out. */
export type Values<K extends SettingName> = {
  readonly [P in K as undefined extends Settings[P]['default'] ? never : P]: ValueOf<P>;
} & {
  readonly [P in K as undefined extends Settings[P]['default'] ? P : never]?: ValueOf<P>;
};

/** Name of a setting in the library; never: the command line alone has it. */
type OptionOf<K extends SettingName> = [NonNullable<Settings[K]['option']>] extends [never]
  ? K
  : Extract<NonNullable<Settings[K]['option']>, string>;

/** The settings of a stage, by their names in the library, without what every stage says by itself. */
export type OptionsOf<S extends Stage> = {
  readonly [
    K in Exclude<NamesOf<S>, 'output' | 'threads'> as undefined extends Settings[K]['default'] ? never : OptionOf<K>
  ]: ValueOf<K>;
} & {
  readonly [
    K in Exclude<NamesOf<S>, 'output' | 'threads'> as undefined extends Settings[K]['default'] ? OptionOf<K> : never
  ]?: ValueOf<K>;
};

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
