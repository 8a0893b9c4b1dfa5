#!/usr/bin/env node
// The version is checked before anything is loaded that an old Node.js cannot even parse.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `qdq: error: Node.js ${process.versions.node} is too old\n  hint: install Node.js 20.19 or later\n`,
  );
  process.exitCode = 3;
} else {
  const { main } = await import('../src/cli/main.ts');
  process.exitCode = await main(process.argv.slice(2));
}
