/** Every table of another tool. To add one: write its file and list it here. */
import { ort } from './ort.ts';
import type { TableFormat } from './table.ts';
import { tensorrt } from './tensorrt.ts';

export const tableFormats = [ort, tensorrt] as const satisfies readonly TableFormat[];

/** The format of a file, by its first bytes; undefined for a state of qdq and anything else. */
export function tableFormatOf(bytes: Uint8Array): TableFormat | undefined {
  // Latin-1 takes any byte; the marks of the formats are ASCII.
  const start = Buffer.from(bytes.subarray(0, 64)).toString('latin1');
  return tableFormats.find((format) => format.recognizes(start));
}
