#!/usr/bin/env node
// Plain JavaScript that any Node understands, so that an old one is told what it lacks.
import { existsSync } from 'node:fs';
import * as module from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

const [major] = process.versions.node.split('.').map(Number);
if (major < 24) {
  console.error(`golem: needs Node 24 or newer, this is ${process.versions.node}`);
  process.exit(1);
}
// What was compiled once is read from disk the next time: a third of the time to start. In a folder
// of the user's own, as code is run from there.
module.enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'golem'));
const source = new URL('../src/main.ts', import.meta.url);
await import(existsSync(source) ? source.href : new URL('../dist/main.js', import.meta.url).href);
