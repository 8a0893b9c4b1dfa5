/** Terminal colours (SGR codes). Colour only adds: without it every text reads the same. */

export type Paint = (text: string) => string;

const codes = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  inverse: [7, 27],
} as const;

export type Palette = Readonly<Record<keyof typeof codes, Paint>>;

export function palette(color: boolean): Palette {
  const entries = Object.entries(codes).map(([name, [on, off]]): [string, Paint] => [
    name,
    color ? (text) => (text === '' ? '' : `\u001b[${on}m${text}\u001b[${off}m`) : (text) => text,
  ]);
  return Object.fromEntries(entries) as Palette;
}

export const plain: Paint = (text) => text;
