#!/usr/bin/env node
// The one door to every command of this repository: brings the machine up to date, then runs the
// task on the pinned Node. Plain JavaScript, because it is what runs before anything is installed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureNpmPackages, ensureSystemPackages, refuse } from './setup.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What the tests use. */
const TESTED = [
  ...['guest', 'ssh', 'interop', 'network', 'terminal', 'service', 'shells', 'manual'],
  'cookbook',
];

/** What each task runs, and which programs of the system it needs (see setup.mjs). */
const TASKS = {
  demo: { script: 'scripts/demo.ts', needs: ['guest', 'ssh'] },
  test: { script: 'scripts/check.ts', needs: TESTED },
  check: { script: 'scripts/check.ts', needs: TESTED },
  stack: { script: 'scripts/stack.ts', needs: ['guest'] },
  image: { script: 'scripts/image/build.ts', needs: ['guest'] },
  discovery: { script: 'discovery-worker/selfhost/main.ts', needs: [] },
  fuzz: { script: 'scripts/fuzz.ts', needs: ['ssh'] },
  bench: { script: 'scripts/bench.ts', needs: ['ssh', 'peers'] },
  soak: { script: 'scripts/soak.ts', needs: [] },
  build: { script: 'scripts/build.ts', needs: [] },
  record: { script: 'scripts/record.ts', needs: ['guest', 'ssh', 'terminal'] },
  sea: { script: 'scripts/sea.ts', needs: [] },
  'fuzz-argv': { script: 'scripts/fuzz-argv.ts', needs: [] },
  docs: { script: 'scripts/docs.ts', needs: [] },
};

const [name, ...args] = process.argv.slice(2);
const task = Object.hasOwn(TASKS, name ?? '') ? TASKS[name] : undefined;
if (!task) refuse(`unknown task '${name ?? ''}'; there are: ${Object.keys(TASKS).join(', ')}`);

ensureNpmPackages(root);
await ensureSystemPackages(task.needs);

const bin = join(root, 'node_modules', '.bin');
const node = join(bin, process.platform === 'win32' ? 'node.cmd' : 'node');
if (!existsSync(node))
  refuse('npm did not install the pinned Node; is the package "node" blocked?');
const child = spawn(node, [join(root, task.script), ...args], {
  stdio: 'inherit',
  env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
});
// Whoever stops this process means the task, which has to clean up behind itself. What is typed on
// a terminal has reached it already.
process.on('SIGTERM', () => child.kill('SIGTERM'));
for (const signal of ['SIGINT', 'SIGHUP']) {
  process.on(signal, () => process.stdin.isTTY || child.kill(signal));
}
const [status, signal] = await once(child, 'exit');
process.exit(status ?? 128 + constants.signals[signal]);
