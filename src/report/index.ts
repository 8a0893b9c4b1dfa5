/** Every renderer. To add one: write its file and list it here; commands, files by extension and the contract test follow. */
import { annotations } from './annotations.ts';
import { csv, json } from './raw.ts';
import { html } from './html/index.ts';
import { junit } from './junit.ts';
import { markdown } from './markdown.ts';
import type { Renderer } from './renderer.ts';
import { terminal } from './terminal.ts';

export const renderers = [
  terminal,
  markdown,
  junit,
  annotations,
  csv,
  html,
  json,
] as const satisfies readonly Renderer[];

export function findRenderer(format: string): Renderer | undefined {
  return renderers.find((renderer) => renderer.format === format);
}

/** The renderer whose files end like this path. */
export function rendererOf(path: string): Renderer | undefined {
  const lower = path.toLowerCase();
  return renderers.find(({ extension }: Renderer) => extension !== undefined && lower.endsWith(extension));
}
