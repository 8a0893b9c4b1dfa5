/** The contract of a calibration table of another tool: ranges by tensor name, as text. One file per format, listed in index.ts. */
import type { Range } from '../ranges.ts';

export interface Table {
  /** How the tool came to its ranges, in its own words. */
  readonly method: string;
  /** As the table has them: zero may lie outside. */
  readonly ranges: ReadonlyMap<string, Range>;
  /** True when a range is a largest magnitude, so that its lower end tells nothing of the sign. */
  readonly symmetric: boolean;
}

export interface TableFormat {
  /** What `qdq export --as` names. */
  readonly id: string;
  /** How messages call it. */
  readonly name: string;
  /** Whether a text that begins so is of this format. */
  recognizes(start: string): boolean;
  encode(ranges: ReadonlyMap<string, Range>): string;
  /**
   * @param path how errors call the file
   * @throws TABLE_FORMAT, TABLE_TENSOR
   */
  decode(text: string, path: string): Table;
}
