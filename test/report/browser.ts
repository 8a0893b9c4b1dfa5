/**
 * The real browser for tests that need one: Chromium through playwright-core, from CHROMIUM_PATH or PATH. Where there is none the
 * tests are skipped, and say so.
 */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

export const chromiumPath: string | undefined = [
  ...(process.env['CHROMIUM_PATH'] ? [process.env['CHROMIUM_PATH']] : []),
  ...(process.env['PATH'] ?? '').split(delimiter).flatMap((folder) => names.map((name) => join(folder, name))),
].find((path) => existsSync(path));

if (chromiumPath === undefined)
  process.stderr.write(
    '\nNOTE: no chromium on PATH or in CHROMIUM_PATH: the browser tests of the HTML report are skipped\n',
  );

/** Without services of its own: nothing it does on the network can be mistaken for the report's doing. */
export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath!,
    headless: true,
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
      ...['--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'],
    ],
  });
}
