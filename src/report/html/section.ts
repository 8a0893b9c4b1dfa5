/** The contract of a section of the HTML report: one file; it renders nothing when the report has nothing for it. */
import type { Report } from '../../compare/report.ts';
import type { Child } from './markup.ts';

export interface Section {
  /** Anchor. */
  readonly id: string;
  readonly title: string;
  /** What to see in it, one sentence. */
  readonly lead?: string;
  /** Undefined: the section and its entry in the contents are left out. */
  render(report: Report): Child | undefined;
}
