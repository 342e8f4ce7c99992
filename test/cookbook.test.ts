/** The commands of docs/cookbook.md, as they are there, against real guests. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readRecipes, scriptOf } from './cookbook.ts';
import { installGolem, run } from './golem.ts';
import { startStack, type Stack } from './stack.ts';

const page = readFileSync(join(import.meta.dirname, '..', 'docs', 'cookbook.md'), 'utf8');
const recipes = readRecipes(page);
const PATIENCE_MILLIS = 300_000;
let dir: string;
let stack: Stack;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'k-'));
  stack = await startStack({ providers: 2, driver: 'qemu', dir: join(dir, 's') });
  await installGolem(join(dir, 'bin'));
});
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

test('there are recipes', () => {
  expect(recipes.map(({ title }) => title)).toEqual([
    ...['A web server', 'A CI runner', 'A dev box', 'A batch job'],
  ]);
  expect(recipes.every(({ steps }) => steps.some(({ prints }) => prints !== undefined))).toBe(true);
});

test.each(recipes)('$title', { timeout: PATIENCE_MILLIS }, async (recipe) => {
  const cwd = join(dir, recipe.title.replaceAll(' ', '-'));
  const home = join(cwd, 'home');
  await mkdir(home, { recursive: true });
  const env = {
    ...{ ...stack.env, HOME: home, GOLEM_HOME: join(home, 'golem') },
    PATH: `${join(dir, 'bin')}:${process.env['PATH'] ?? ''}`,
  };
  // The port that the page names may be taken here.
  const script = scriptOf(recipe).replaceAll('8080', String(await freePort()));
  const { status, stderr } = await run(['sh', '-c', script], { env, cwd });
  if (status !== 0) throw new Error(`it ended with ${status}: ${stderr}`);

  for (const [at, { prints }] of recipe.steps.entries()) {
    if (prints === undefined) continue;
    expect(await readFile(join(cwd, `.step-${at}`), 'utf8')).toBe(prints);
  }
  const left = await run(['golem', 'vm', 'list', '-q'], { env });
  expect(left).toMatchObject({ status: 0, stdout: '' });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
