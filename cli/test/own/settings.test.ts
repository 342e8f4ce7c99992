/** `golem config` and `golem context`: what is written, what is refused, and who goes first. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { get } from '../../src/commands/config/get.ts';
import { list as listSettings } from '../../src/commands/config/list.ts';
import { set, unset } from '../../src/commands/config/set.ts';
import { add } from '../../src/commands/context/add.ts';
import { list } from '../../src/commands/context/list.ts';
import { remove } from '../../src/commands/context/remove.ts';
import { show } from '../../src/commands/context/show.ts';
import { use } from '../../src/commands/context/use.ts';
import { ownConfigFile } from '../../src/openssh/installed.ts';
import { openHome } from '../../src/state/home.ts';
import { VmBook } from '../../src/state/book.ts';
import { contextOf, type TestContext } from '../context.ts';

let here: TestContext;
/** As the next process finds it. */
const next = (env: Record<string, string> = {}, flag?: string) => {
  const home = openHome({ GOLEM_HOME: here.folder, ...env }, flag);
  Object.assign(here.context, { home, env: home.env, paths: home.paths });
};
const WORK = 'https://work.test';

beforeEach(async () => {
  here = await contextOf();
  next();
});
afterEach(() => here[Symbol.asyncDispose]());

describe('a setting', () => {
  test('is what was set, until it is unset', async () => {
    await expect(here.run(set, 'discovery', WORK)).resolves.toMatchObject({
      ...{ name: 'discovery', value: WORK, from: 'file' },
    });
    next();
    await expect(here.run(get, 'discovery')).resolves.toMatchObject({
      ...{ value: WORK, from: 'file', source: join(here.folder, 'config.json') },
    });
    await here.run(unset, 'discovery');
    next();
    await expect(here.run(get, 'discovery')).resolves.toMatchObject({ from: 'default' });
  });

  test('of the environment goes first, and that is said', async () => {
    next({ GOLEM_RELAY_GRACE: '7' });
    await here.run(set, 'relay-grace', '9');
    expect(here.notes).toEqual(['golem: GOLEM_RELAY_GRACE says 7, and goes before it.']);
    next({ GOLEM_RELAY_GRACE: '7' });
    const settings = await here.run(listSettings);
    expect(settings.find(({ name }) => name === 'relay-grace')).toMatchObject({
      ...{ value: '7', from: 'environment', source: 'GOLEM_RELAY_GRACE' },
    });
  });

  test.each([
    ['discovery', 'ftp://x'],
    ['discovery', ''],
    ['relay-grace', '-1'],
    ['relay-grace', '1e3'],
    ['relay-window', 'all'],
    ['discvoery', WORK],
    ['__proto__', 'x'],
  ])('%s cannot be %j', async (name, value) => {
    await expect(here.run(set, '--', name, value)).rejects.toMatchObject({ code: 'usage' });
    await expect(readFile(join(here.folder, 'config.json'))).rejects.toHaveProperty(
      'code',
      'ENOENT',
    );
  });

  test('that is refused is called as it was typed', async () => {
    await expect(here.run(set, 'relay-grace', 'abc')).rejects.toMatchObject({
      message: expect.stringMatching(/^relay-grace takes a whole number/) as string,
    });
  });

  test('that is not there is guessed', async () => {
    await expect(here.run(get, 'discvoery')).rejects.toHaveProperty(
      'hint',
      'Did you mean discovery?',
    );
  });
});

describe('a context', () => {
  test('is another discovery service with its own VMs', async () => {
    await here.run(add, 'work', WORK);
    next({}, 'work');
    await expect(here.run(show)).resolves.toMatchObject({
      ...{ name: 'work', discovery: WORK, ownKey: false, chosenBy: 'flag' },
      ...{ keyFile: join(here.folder, 'key.json'), vms: join(here.folder, 'vms', 'work') },
    });
    await here.run(set, 'discovery', 'https://moved.test');
    next();
    expect(
      (await here.run(list)).map(({ name, discovery, current }) => [name, discovery, current]),
    ).toEqual([
      ['default', 'http://127.0.0.1:8787', true],
      ['work', 'https://moved.test', false],
    ]);
  });

  test('may have its own key', async () => {
    await here.run(add, 'private', WORK, '--own-key');
    next({}, 'private');
    expect(here.context.paths.key).toBe(join(here.folder, 'contexts', 'private', 'key.json'));
  });

  test('is used from now on, until another is', async () => {
    await here.run(add, 'work', WORK);
    await here.run(use, 'work');
    next();
    expect(here.context.home.context).toEqual({ value: 'work', origin: 'file' });
    await here.run(use, 'default');
    next();
    expect(here.context.home.context).toEqual({ value: 'default', origin: 'default' });
    await expect(here.run(use, 'wrok')).rejects.toMatchObject({ hint: 'Did you mean work?' });
  });

  test('of its own has a service that GOLEM_DISCOVERY goes before, which is said', async () => {
    await here.run(add, 'work', WORK);
    const discovery = 'https://environment.test';
    next({ GOLEM_DISCOVERY: discovery });
    const notes = here.notes.length;
    await here.run(use, 'work');
    expect(here.notes.slice(notes)).toEqual([
      `From now on: work, at ${WORK}`,
      `golem: GOLEM_DISCOVERY says ${discovery}, and goes before it.`,
    ]);
    next({ GOLEM_DISCOVERY: discovery });
    const listed = await here.run(list);
    expect(listed.map((each) => [each.name, each.current, each.discovery])).toEqual([
      ['default', false, expect.any(String)],
      ['work', true, discovery],
    ]);
    expect(await here.run(show)).toMatchObject({ discovery });
    next({ GOLEM_DISCOVERY: WORK });
    await here.run(use, 'work');
    expect(here.notes.at(-1)).toBe(`From now on: work, at ${WORK}`);
  });

  test.each(['', 'default', 'Work', '../x', '-x', 'a'.repeat(33)])(
    'is not called %j',
    async (name) => {
      await expect(here.run(add, '--', name, WORK)).rejects.toMatchObject({
        code: name === 'default' ? 'file_exists' : 'usage',
      });
    },
  );

  test('with VMs is removed with consent only, and is not the one in use any more', async () => {
    await here.run(add, 'work', WORK);
    await here.run(use, 'work');
    await new VmBook(join(here.folder, 'vms', 'work')).claim('web', {
      ...{ name: 'web', provider: `gp_${'a'.repeat(26)}` },
    });
    next();
    await expect(here.run(remove, 'work')).rejects.toMatchObject({ code: 'needs_input' });
    Object.assign(here.context, { confirm: async () => true });
    const sshFile = ownConfigFile(here.context.home.paths, 'work');
    await mkdir(dirname(sshFile));
    await writeFile(sshFile, 'Host web web.work\n');
    await here.run(remove, 'work');
    // Nor is a name of its VMs taken for OpenSSH any more.
    await expect(readFile(sshFile)).rejects.toMatchObject({ code: 'ENOENT' });
    next();
    expect((await here.run(list)).map(({ name }) => name)).toEqual(['default']);
    expect(here.context.home.context.origin).toBe('default');
    await expect(here.run(remove, 'default')).rejects.toMatchObject({ code: 'usage' });
  });
});

test('a file that is damaged is said to be, and not written over', async () => {
  const path = join(here.folder, 'config.json');
  await writeFile(path, '{');
  expect(() => next()).toThrow(`${path} is damaged.`);
  await expect(here.run(set, 'relay-grace', '9')).rejects.toMatchObject({ code: 'internal' });
  expect(await readFile(path, 'utf8')).toBe('{');
});
