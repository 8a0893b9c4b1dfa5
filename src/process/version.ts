/** The version of this package, as package.json has it, from source and from dist alike. */
import { createRequire } from 'node:module';

export const version: string = (createRequire(import.meta.url)('qdq/package.json') as { version: string }).version;
