/**
 * Writes `qdq.schema.json`, the JSON Schema of recipe files, from the table of settings. Run it from the package root
 * after a change of the table: `npx tsc -p tsconfig.json && node dist/bin/dev/generate-schema.js`.
 */
import { writeFileSync } from 'node:fs';
import { commands, sections } from '../../src/cli/commands/index.ts';
import { options } from '../../src/cli/options.ts';
import { jsonSchema } from '../../src/config/schema.ts';

const file = 'qdq.schema.json';
writeFileSync(file, jsonSchema(options, sections));
process.stdout.write(`${file}: ${Object.keys(options).length} settings, ${commands.length} commands\n`);
