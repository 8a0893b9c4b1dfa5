/** What every data format declares of itself. Adding one is a new file here and a line in open.ts. */
import type { Names } from '../names.ts';
import type { Dataset, InputInfo } from '../sample.ts';

/** A `--data` argument, looked at once. */
export interface Target {
  readonly path: string;
  /** `word`: not a path but the name of a generator. */
  readonly kind: 'file' | 'folder' | 'word';
  /** Lower case, with its dot; '' for folders. */
  readonly extension: string;
  /** The names in a folder, sorted, hidden ones left out; empty for files. */
  readonly names: Names;
  /** The names in its first subfolder when a folder holds class folders: what they are shows what it is. */
  readonly below: Names;
}

export interface OpenRequest {
  readonly target: Target;
  readonly inputs: readonly InputInfo[];
  readonly preprocess: string | undefined;
  readonly seed: number;
  /** How many samples to generate; formats that read files ignore it. */
  readonly count: number;
}

export interface Format {
  readonly name: string;
  /** What a user has to give, for the error that lists the formats. */
  readonly accepts: string;
  /** Whether `--preprocess` means something here; elsewhere it is refused. */
  readonly preprocesses: boolean;
  detect(target: Target): boolean;
  open(request: OpenRequest): Promise<Dataset>;
}
