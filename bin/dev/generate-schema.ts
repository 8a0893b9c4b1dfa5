/**
 * Writes the published JSON Schemas: `qdq.schema.json` of recipe files, from the table of settings, and `report.schema.json` of
 * reports, from their zod schema. Run it from the package root after a change of either: `npm run schema`.
 */
import { writeFileSync } from 'node:fs';
import { commands, sections } from '../../src/cli/commands/index.ts';
import { options } from '../../src/cli/options.ts';
import { reportSchemaText } from '../../src/compare/report.ts';
import { jsonSchema } from '../../src/config/schema.ts';

writeFileSync('qdq.schema.json', jsonSchema(options, sections));
writeFileSync('report.schema.json', reportSchemaText());
process.stdout.write(
  `qdq.schema.json: ${Object.keys(options).length} settings, ${commands.length} commands; report.schema.json\n`,
);
