/**
 * `npm run record`: types what the README begins with into a real terminal, against real guests on this
 * machine, and writes what was to be seen to docs/assets/session.svg.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { installGolem } from '../test/golem.ts';
import { startStack } from '../test/stack.ts';
import { Terminal } from '../test/terminal.ts';
import { svgOf } from './record/svg.ts';
import { timelineOf, type Shot } from './record/timeline.ts';

const root = join(import.meta.dirname, '..');
const SHOT_MILLIS = 80;
/** A person who knows what to type. */
const KEY_MILLIS = 45;
/** What was printed is read before the next command is typed. */
const READ_MILLIS = 1200;
const PATIENCE_MILLIS = 120_000;
const COLUMNS = 96;
const ROWS = 60;

const SESSION = [
  'golem vm providers --size small',
  'golem vm create web --size small',
  'echo "hello from $(hostname)" > index.html',
  'golem vm cp index.html web:',
  'golem vm exec web -- uname -sr',
  'golem vm list',
  'golem vm destroy web --yes',
];

const dir = await mkdtemp(join(tmpdir(), 'rec-'));
const started = performance.now();
const shots: Shot[] = [];
try {
  await using stack = await startStack({ providers: 2, driver: 'qemu', dir: join(dir, 's') });
  const bin = join(dir, 'bin');
  await installGolem(bin);
  const home = join(dir, 'home');
  await mkdir(home);
  await using terminal = await Terminal.open({
    ...{ rows: ROWS, columns: COLUMNS },
    env: { ...stack.env, HOME: home, PATH: `${bin}:${process.env['PATH'] ?? ''}` },
  });
  await terminal.shows(/\$$/);
  await terminal.type(`cd ${home}; clear`);
  await terminal.shows(/^\$$/);
  await play(terminal);
} finally {
  await rm(dir, { recursive: true, force: true });
}
const file = join(root, 'docs/assets/session.svg');
await mkdir(join(root, 'docs/assets'), { recursive: true });
const title = 'A VM is rented, a file copied into it, a program run there, and the VM given back';
const svg = svgOf(timelineOf(shots), { title, columns: COLUMNS });
await writeFile(file, svg);
console.log(`${file}: ${(svg.length / 1024).toFixed(0)} KiB of ${shots.length} pictures`);

async function play(terminal: Terminal): Promise<void> {
  const begun = performance.now();
  const before = (await terminal.picture()).split('\n').length - 1;
  const shoot = async (): Promise<string> => {
    const text = await terminal.picture();
    shots.push({
      millis: Math.round(performance.now() - begun),
      lines: text.split('\n').slice(before),
    });
    return text;
  };
  for (const command of SESSION) {
    for (const key of command) {
      await terminal.literal(key);
      await shoot();
      await sleep(KEY_MILLIS);
    }
    await terminal.key('Enter');
    await sleep(SHOT_MILLIS);
    const deadline = performance.now() + PATIENCE_MILLIS;
    while (!(await shoot()).endsWith('\n$')) {
      if (performance.now() > deadline) throw new Error(`'${command}' does not end`);
      await sleep(SHOT_MILLIS);
    }
    await sleep(READ_MILLIS);
  }
  console.log(`recorded in ${((performance.now() - started) / 1000).toFixed(0)} s`);
}
