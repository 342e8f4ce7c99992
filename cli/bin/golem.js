#!/usr/bin/env node
// Plain JavaScript that any Node understands, so that an old one is told what it lacks.
import { existsSync } from 'node:fs';

const [major] = process.versions.node.split('.').map(Number);
if (major < 24) {
  console.error(`golem: needs Node 24 or newer, this is ${process.versions.node}`);
  process.exit(1);
}
const source = new URL('../src/main.ts', import.meta.url);
await import(existsSync(source) ? source.href : new URL('../dist/main.js', import.meta.url).href);
