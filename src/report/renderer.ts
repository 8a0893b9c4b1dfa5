/** The contract of a renderer: one file, a pure function of the report. To add one, write its file and list it in `index.ts`. */
import type { Report } from '../compare/report.ts';

export interface RenderOptions {
  /** Terminal: SGR colours. */
  readonly color?: boolean;
  /** Terminal: columns; default 80. */
  readonly width?: number;
  /** Terminal: the verdict line only. */
  readonly quiet?: boolean;
  /** Where the JSON report was written, to be named in the text. */
  readonly reportPath?: string;
  /** HTML: no script at all, for viewers that forbid them; default false. */
  readonly static?: boolean;
}

export interface Renderer {
  /** As in `--format`. */
  readonly format: string;
  /** Of its files, with the dot; undefined for one that makes no files. */
  readonly extension: string | undefined;
  /** What it is, in a few words. */
  readonly describe: string;
  render(report: Report, options: RenderOptions): string;
}
