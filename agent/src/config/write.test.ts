import { spawnSync } from 'node:child_process';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeConfigFile, writeSettings } from './write.ts';

let dir: string;
let file: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'write-'));
  file = join(dir, 'config.toml');
});
afterEach(() => rm(dir, { recursive: true }));

const content = () => readFile(file, 'utf8');

describe('the configuration file', () => {
  test('is made with its folder, and readable for everybody', async () => {
    file = join(dir, 'a', 'b', 'config.toml');
    await expect(writeSettings(file, [['cpus', '1']])).rejects.toMatchObject({
      code: 'usage',
      hint: expect.stringContaining('golem-provider init') as string,
    });
    expect(await readdir(dir)).toEqual([]);
    await writeConfigFile(file, '', { replace: false });
    await writeSettings(file, [
      ['cpus', '50%'],
      ['max-vms', '3'],
    ]);
    expect(await content()).toBe('cpus = "50%"\nmax-vms = 3\n');
    expect((await stat(file)).mode & 0o777).toBe(0o644 & ~process.umask());
    expect(await readdir(join(dir, 'a', 'b'))).toEqual(['config.toml']);
  });

  test('has switches as they are meant, and gives back lists and lines', async () => {
    await writeFile(file, '# mine\nname = "attic" # up there\nimage-dir = [\n  "/a",\n]\ncpus = 1');
    await writeSettings(file, [['reserve-disk', 'yes']]);
    expect(await content()).toMatch(/\ncpus = 1\nreserve-disk = true\n$/);
    const undo = await writeSettings(file, [
      ['name', undefined],
      ['reserve-disk', undefined],
      ['image-dir', ''],
    ]);
    expect(await content()).toBe('# mine\nimage-dir = []\ncpus = 1\n');
    await writeSettings(file, [['image-dir', undefined]]);
    expect(await content()).toBe('# mine\ncpus = 1\n');
    await expect(writeSettings(file, [['name', undefined]])).rejects.toMatchObject({
      code: 'not_found',
    });
    await undo();
    expect(await content()).toContain('name = "attic" # up there\n');
  });

  test('keeps its mode, its owner, and its place behind a link', async () => {
    if (process.getuid?.() !== 0) throw new Error('this test has to run as root');
    const real = join(dir, 'kept');
    await writeFile(real, '# mine\n');
    await chmod(real, 0o600);
    await chown(real, 65534, 65534);
    await symlink(real, file);
    await writeSettings(file, [['cpus', '2']]);
    expect((await lstat(file)).isSymbolicLink()).toBe(true);
    expect(await stat(real)).toMatchObject({ uid: 65534, gid: 65534, mode: 0o100600 });
    expect(await readFile(real, 'utf8')).toBe('# mine\ncpus = 2\n');
  });

  test.each([
    [[['cpus', 'many']], 'cpus must be'],
    [
      [
        ['max-vms', '3'],
        ['name', 'Not This'],
      ],
      'name must be',
    ],
    [[['image-dir', 'images']], 'image-dir must be an absolute path'],
  ] as const)('is not touched by %j', async (changes, message) => {
    await writeFile(file, 'cpus = 1\n');
    await expect(writeSettings(file, changes)).rejects.toThrow(message);
    expect(await content()).toBe('cpus = 1\n');
    expect(await readdir(dir)).toEqual(['config.toml']);
  });

  test('that is wrong already is not made worse', async () => {
    await writeFile(file, 'cpus = \n');
    await expect(writeSettings(file, [['max-vms', '3']])).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining(`${file}:`) as string,
    });
    expect(await content()).toBe('cpus = \n');
  });

  test('is replaced only by whoever says so, even at the same moment', async () => {
    const drafts = Array.from({ length: 8 }, (_, n) => `# ${n}\n`);
    const results = await Promise.allSettled(
      drafts.map((draft) => writeConfigFile(file, draft, { replace: false })),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const first = await content();
    expect(drafts).toContain(first);
    await expect(writeConfigFile(file, 'x', { replace: false })).rejects.toMatchObject({
      code: 'file_exists',
    });
    expect(await content()).toBe(first);
    await Promise.all(drafts.map((draft) => writeConfigFile(file, draft, { replace: true })));
    expect(drafts).toContain(await content());
    expect(await readdir(dir)).toEqual(['config.toml']);
  });

  test('that somebody else owns is said so', async () => {
    await mkdir(join(dir, 'etc'));
    await writeFile(join(dir, 'etc', 'c.toml'), '');
    await chmod(dir, 0o755);
    const program = `import(${JSON.stringify(join(import.meta.dirname, 'write.ts'))})
      .then(({ writeSettings }) => writeSettings(process.argv[1], [['cpus', '2']]))
      .catch(({ code, hint }) => console.log(code, hint))`;
    const words = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath];
    const { stdout } = spawnSync('setpriv', [...words, '-e', program, join(dir, 'etc', 'c.toml')], {
      encoding: 'utf8',
    });
    expect(stdout).toContain('forbidden Run this as its owner');
    expect(await readdir(join(dir, 'etc'))).toEqual(['c.toml']);
    expect(await readFile(join(dir, 'etc', 'c.toml'), 'utf8')).toBe('');
  });
});
