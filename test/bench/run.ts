/**
 * `npm run bench [-- NAME...] [--json]`: every benchmark, or the named ones. Ratios are against a baseline of the same run, so
 * they hold on a busy machine; the exit code is 1 when a goal is missed.
 */
import type { BenchResult } from './bench.ts';
import * as calibrate from './calibrate.ts';
import * as codec from './codec.ts';
import * as formats from './formats.ts';
import * as fuse from './fuse.ts';
import * as gradients from './gradients.ts';
import * as improve from './improve.ts';
import * as layers from './layers.ts';
import * as latency from './latency.ts';
import * as peer from './peer.ts';
import * as weightOnly from './weight-only.ts';

const benches: Record<string, { run(): Promise<BenchResult[]> }> = {
  calibrate,
  codec,
  formats,
  fuse,
  gradients,
  improve,
  layers,
  latency,
  peer,
  'weight-only': weightOnly,
};

const words = process.argv.slice(2);
const wanted = words.filter((word) => !word.startsWith('--'));
const unknown = wanted.find((name) => !(name in benches));
if (unknown !== undefined) {
  console.error(`no benchmark is named '${unknown}'; there are ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}
const results: BenchResult[] = [];
const json = words.includes('--json');
for (const name of wanted.length > 0 ? wanted : Object.keys(benches)) {
  console.error(`${name} ...`);
  for (const each of await benches[name]!.run()) {
    results.push(each);
    if (!json) console.log(line(each));
  }
}
if (json) console.log(JSON.stringify(results, null, 2));
process.exitCode = results.every((each) => each.pass) ? 0 : 1;

function line({ name, value, unit, goal, pass, detail }: BenchResult): string {
  const show = {
    ratio: (x: number) => `${x.toFixed(2)}x`,
    MB: (x: number) => `${x.toFixed(0)} MB`,
    s: (x: number) => `${x.toFixed(1)} s`,
  };
  return `${pass ? 'ok  ' : 'MISS'}  ${show[unit](value).padStart(8)} <= ${show[unit](goal).padEnd(7)}  ${name}  (${detail})`;
}
