/**
 * Writes the published JSON Schemas: `qdq.schema.json` of recipe files, from the table of settings, and `report.schema.json` of
 * reports, from their zod schema. Run it from the package root after a change of either: `npm run schema`.
 */
import { writeFileSync } from 'node:fs';
import { commands, sections } from '../../src/cli/commands/index.ts';
import { settings } from '../../src/settings/settings.ts';
import { reportSchemaText } from '../../src/compare/report.ts';
import { jsonSchema } from '../../src/settings/recipe.ts';

writeFileSync('qdq.schema.json', jsonSchema(settings, sections));
writeFileSync('report.schema.json', reportSchemaText());
process.stdout.write(
  `qdq.schema.json: ${Object.keys(settings).length} settings, ${commands.length} commands; report.schema.json\n`,
);
