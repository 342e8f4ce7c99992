#!/usr/bin/env node
// Plain JavaScript without new syntax: it must be able to say so on a Node that is too old.
import { existsSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';

const NEEDED = 24;
const major = Number(process.versions.node.split('.')[0]);
if (major < NEEDED) {
  console.error(
    `golem-provider needs Node ${NEEDED} or newer; this is Node ${process.versions.node}.`,
  );
  process.exit(1);
}
// V8 lets the room for new objects grow to 16 MiB while a program starts, and an idle one keeps it.
setFlagsFromString('--semi-space-growth-factor=1');
const source = new URL('../src/main.ts', import.meta.url);
const built = new URL('../dist/main.js', import.meta.url);
await import((existsSync(source) ? source : built).href);
