/**
 * Assembles the WebAssembly kernels: every `src/calibrate/kernels/NAME.wat` becomes `NAME.wasm.ts`, its bytes in base64, so that
 * the compiled package needs no file beside its JavaScript. Run from the package root after a change: `npm run kernels`.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import wabt from 'wabt';

const folder = join('src', 'calibrate', 'kernels');

/** The bytes of a kernel from its text. Of all that came after the first WebAssembly only SIMD is allowed. */
export async function assemble(source: string): Promise<Buffer> {
  const { parseWat } = await wabt();
  const module = parseWat('kernel', source, { simd: true });
  try {
    module.validate();
    return Buffer.from(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.wat'))) {
    const bytes = await assemble(readFileSync(join(folder, name), 'utf8'));
    const lines = bytes.toString('base64').match(/.{1,112}/g)!;
    const text = lines.map((line) => `  '${line}',\n`).join('');
    const file = name.replace('.wat', '.wasm.ts');
    writeFileSync(
      join(folder, file),
      `/** ${name}, assembled by \`npm run kernels\`. */\nexport default [\n${text}].join('');\n`,
    );
    process.stdout.write(`${file}: ${bytes.length} bytes\n`);
  }
}
