/** Golden texts: `UPDATE_GOLDEN=1 npx vitest run test/report` writes them anew; read the difference before you commit it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';

/** @param name of the file in `golden/`, with its extension */
export function golden(name: string, text: string): void {
  const file = new URL(`golden/${name}`, import.meta.url);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, 'utf8'));
}
