/** Numbers and names for people. Rounding happens here and nowhere before. */
import { printable } from './escape.ts';

/** Decimal units, as file managers and `ls --si` count. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  let unit = 0;
  let value = count;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return unit === 0 ? `${count} B` : `${digits(value, 3)} ${units[unit]}`;
}

export function milliseconds(value: number): string {
  return `${digits(value, 3)} ms`;
}

export function percent(fraction: number, decimals = 2): string {
  return `${(fraction * 100).toFixed(decimals)}%`;
}

/** Percentage points with their sign, never '-0.00'. */
export function points(fraction: number): string {
  const text = (fraction * 100).toFixed(2);
  return fraction > 0 && Number(text) !== 0 ? `+${text}` : text.replace(/^-(0\.00)$/, '$1');
}

/** `significant` digits without an exponent where the size allows it. */
export function digits(value: number, significant: number): string {
  if (!Number.isFinite(value)) return infinite(value);
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e7)) return value.toExponential(significant - 1);
  const text = value.toPrecision(significant);
  return text.includes('e') ? String(Math.round(value)) : text;
}

export function probability(p: number): string {
  return p < 0.001 ? p.toExponential(0) : digits(p, 2);
}

function infinite(value: number): string {
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'inf' : '-inf';
}

/** A metric value in its unit. More decimals than usual are given where `decimals` asks for them. */
export function inUnit(value: number, unit: string, decimals = 2): string {
  if (!Number.isFinite(value)) return infinite(value);
  switch (unit) {
    case 'fraction':
      return percent(value, decimals);
    case 'dB':
      return `${value.toFixed(decimals)} dB`;
    case 'times':
      return `${value.toFixed(decimals)}x`;
    case 'a cosine':
      return value.toFixed(decimals + 3);
    default:
      return digits(value, decimals + 2);
  }
}

/** A value and its bound, with as many decimals as it takes to tell them apart. */
export function distinct(value: number, bound: number, unit: string): [value: string, bound: string] {
  for (let decimals = 2; ; decimals += 2) {
    const pair: [string, string] = [inUnit(value, unit, decimals), inUnit(bound, unit, decimals)];
    if (pair[0] !== pair[1] || value === bound || decimals >= 12) return pair;
  }
}

/** Names come from models, which are not trusted: nothing in them may steer the terminal. */
export function clean(text: string): string {
  return printable(text, '?');
}

/** At most `width` characters, shortened in the middle: both ends of a node name tell something. */
export function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  const head = Math.ceil((width - 3) / 2);
  return `${text.slice(0, head)}...${text.slice(text.length - (width - 3 - head))}`;
}

/** Lines of at most `width` characters; a word longer than a line is cut. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (let word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    for (; word.length > width; word = word.slice(width)) lines.push(word.slice(0, width));
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : many}`;
}
