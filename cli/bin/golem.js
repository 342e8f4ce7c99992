#!/usr/bin/env node
// Plain JavaScript that any Node understands, so that an old one is told what it lacks.
const [major] = process.versions.node.split('.').map(Number);
if (major < 24) {
  console.error(`golem: needs Node 24 or newer, this is ${process.versions.node}`);
  process.exit(1);
}
// Not imported: an import of node:fs loads Node's streams as well, which takes as long as all of this.
const { existsSync } = process.getBuiltinModule('node:fs');
const { enableCompileCache } = process.getBuiltinModule('node:module');
const { homedir } = process.getBuiltinModule('node:os');
const { join } = process.getBuiltinModule('node:path');

// What was compiled once is read from disk the next time: a third of the time to start. In a folder
// of the user's own, as code is run from there.
enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'golem'));
const source = new URL('../src/main.ts', import.meta.url);
await import(existsSync(source) ? source.href : new URL('../dist/main.js', import.meta.url).href);
