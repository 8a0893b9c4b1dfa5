/** Output paths, judged before any work is done: an hour of calibration must not end in "no such folder". */
import { statSync } from 'node:fs';
import { dirname, join, parse, relative, resolve } from 'node:path';
import { cliErrors } from '../errors/cli.ts';
import type { ReportFlags } from '../pipeline-types.ts';
import { isSameFile } from '../onnx/file.ts';

/** @param inputs files of this run, which are never overwritten */
export function checkOutput(flag: string, path: string, inputs: readonly string[]): void {
  for (const input of inputs) {
    if (resolve(input) === resolve(path) || isSameFile(input, path)) throw cliErrors.sameFile(flag, path);
  }
  const folder = dirname(path);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw cliErrors.noFolder(flag, folder);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw cliErrors.isFolder(flag, path);
}

/** Every file of a report, and the baseline where it is written. */
export async function checkReport(
  flags: Pick<ReportFlags, 'report' | 'reportFormat' | 'baseline' | 'updateBaseline'>,
  inputs: readonly string[],
): Promise<void> {
  const { reportFiles } = await import('../pipeline/report-files.ts');
  for (const { path } of reportFiles(flags)) checkOutput('--report', path, inputs);
  if (flags.updateBaseline && flags.baseline !== undefined) checkOutput('--baseline', flags.baseline, inputs);
}

/** `models/net.onnx` → `models/net.int8.onnx` */
export function defaultOutput(model: string): string {
  const { dir, name } = parse(model);
  return join(dir, `${name}.int8.onnx`);
}

/** `out/net.int8.onnx` → `out/net.int8.report.json` */
export function defaultReport(output: string): string {
  const { dir, name, ext, base } = parse(output);
  return join(dir, `${ext === '.onnx' ? name : base}.report.json`);
}

/** As short as it can be said from here. */
export function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short !== '' && short.length < path.length ? short : path;
}
