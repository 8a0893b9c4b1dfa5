/** What the messages about samples share: how inputs, shapes, names and causes read. */

export type Dims = readonly (number | string | null)[];

export interface Input {
  readonly name: string;
  readonly type: string;
  readonly dims: Dims;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export const shape = (dims: Dims): string => `[${dims.map((dim) => dim ?? '?').join(', ')}]`;
export const expects = ({ name, type, dims }: Input): string => `input '${name}' takes ${type} ${shape(dims)}`;
export { listed as list } from '../../errors.ts';
export const reason = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]!.trim();

export const pixels = ({ width, height }: Size): string => `${width}x${height}`;

export const rewrite = 'write the file again, or check that it was copied whole';
