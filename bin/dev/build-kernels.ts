/**
 * Assembles the WebAssembly kernels: every `src/ROOM/kernels/NAME.wat` becomes `NAME.wasm.ts`, its bytes in base64, so that the
 * compiled package needs no file beside its JavaScript. Run from the package root after a change: `npm run kernels`.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import wabt from 'wabt';

/** Paths of all sources, without `.wat`. */
export function kernelSources(root = 'src'): string[] {
  return readdirSync(root)
    .map((room) => join(root, room, 'kernels'))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .filter((path) => path.endsWith('.wat'))
    .map((path) => path.slice(0, -4));
}

/** The module that stands for `PATH.wat`. Everything but SIMD stays as in the first WebAssembly. */
export async function assemble(path: string): Promise<string> {
  const module = (await wabt()).parseWat(path, readFileSync(`${path}.wat`, 'utf8'), {
    simd: true,
    relaxed_simd: false,
  });
  module.validate();
  const { buffer } = module.toBinary({});
  module.destroy();
  const lines = Buffer.from(buffer)
    .toString('base64')
    .match(/.{1,112}/g)!
    .map((line) => `  '${line}',`);
  const name = path.split(/[\\/]/).at(-1);
  return `/** ${name}.wat, assembled by \`npm run kernels\`. */\nexport default [\n${lines.join('\n')}\n].join('');\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const path of kernelSources()) {
    writeFileSync(`${path}.wasm.ts`, await assemble(path));
    process.stdout.write(`${path}.wasm.ts\n`);
  }
}
