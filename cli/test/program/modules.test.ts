/** What is loaded for what has to be quick: nothing that checks, signs, connects or encrypts. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT } from '@vm-on-golem/shared/errors';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../../test/golem.ts';

const launcher = join(import.meta.dirname, '..', '..', 'bin', 'golem.js');
const hook = join(import.meta.dirname, 'modules.ts');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'golem-modules-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** @param exit with which the command ends */
function modulesOf(words: readonly string[], exit = 0): Promise<string[]> {
  return loadedBy([launcher, ...words], exit);
}

async function loadedBy(words: readonly string[], exit = 0): Promise<string[]> {
  const file = join(folder, `${randomUUID()}.txt`);
  const { status, stderr } = await run([process.execPath, '--import', hook, ...words], {
    env: { GOLEM_HOME: folder, GOLEM_DISCOVERY: 'http://127.0.0.1:9', GOLEM_TEST_MODULES: file },
  });
  if (status !== exit) throw new Error(stderr);
  return [...new Set((await readFile(file, 'utf8')).trimEnd().split('\n'))];
}

/** Schemas, sockets, SSH, signatures, YAML and databases; and rooms that only work with these. */
const SLOW =
  /\/node_modules\/(zod|ws|ssh2|yaml|http-message-sig|@hpke)\/|\/cli\/src\/(sdk|guest|tunnel|openssh)\/|^node:(sqlite|crypto|http|https|net|tls|child_process|readline)|^process\.stdout$/;

describe('nothing slow is loaded by', () => {
  test.each([
    [['--version']],
    [['version']],
    [['__complete', 'vm', 'ssh', '']],
    [['completion', 'bash']],
    [['vm', 'list', '--cached']],
    [['help']],
    [['vm', '--help']],
  ])('%j', async (words) => {
    expect((await modulesOf(words)).filter((url) => SLOW.test(url))).toEqual([]);
  });

  test('what has to be as quick as Node itself, nor the program', async () => {
    for (const words of [['--version'], ['__complete', 'vm', '']]) {
      const loaded = await modulesOf(words);
      expect(loaded.filter((url) => /program\/program\.ts|\/commands\//.test(url))).toEqual([]);
    }
  });
});

test('this test sees what is loaded', async () => {
  const asking = await modulesOf(['vm', 'providers'], EXIT.unreachable);
  expect(asking.some((url) => url.includes('/zod/'))).toBe(true);
  const printing = await modulesOf(['config', 'list', '-o', 'yaml']);
  expect(printing.some((url) => url.includes('/yaml/'))).toBe(true);
  expect(await loadedBy(['-e', 'import("node:os").then(() => process.stdout)'])).toContain(
    'process.stdout',
  );
});
