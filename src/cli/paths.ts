/** Names of outputs that nobody named, and names as they are shown. */
import { join, parse, relative } from 'node:path';

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
