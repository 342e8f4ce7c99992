/** `golem vm cp` over a real SFTP server: both ways, folders, permissions, and what a failure leaves behind. */
import { randomBytes } from 'node:crypto';
import {
  chmod,
  mkdir,
  readFile,
  readdir,
  readlink,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { PassThrough } from 'node:stream';
import { GolemError } from '@vm-on-golem/shared/errors';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ServerChannel } from 'ssh2';
import { cp } from '../../src/commands/vm/cp.ts';
import { errorLines } from '../../src/presenters/error.ts';
import { worldOf, writeFiles, type World } from './world.ts';

/** Whoever tidies up waits for a guest for a moment. */
const ROOM = { timeout: 30_000 };

let world: World;
/** A folder of this machine. */
let here: string;
beforeEach(async () => {
  world = await worldOf();
  here = join(world.here.folder, 'here');
  await mkdir(here);
});
afterEach(() => world[Symbol.asyncDispose]());

const copy = (...words: string[]) => world.here.run(cp, ...words);
const inGuest = (path: string) => join(world.home, path);

describe('a file', () => {
  test('goes there and back unchanged, in one login each', async () => {
    const bytes = randomBytes(5_000_001);
    await writeFile(join(here, 'a'), bytes);
    await expect(copy(join(here, 'a'), 'web:b')).resolves.toEqual({
      files: 1,
      bytes: bytes.length,
    });
    expect((await readFile(inGuest('b'))).equals(bytes)).toBe(true);
    await copy('web:b', join(here, 'c'));
    expect((await readFile(join(here, 'c'))).equals(bytes)).toBe(true);
    expect(world.guest.logins()).toBe(2);
  });

  test('is put into a folder by its own name', async () => {
    await writeFiles(here, { a: '1', b: '2' });
    await mkdir(inGuest('in'));
    await copy(join(here, 'a'), join(here, 'b'), 'web:in');
    await copy(join(here, 'a'), 'web:');
    expect(await readdir(inGuest('in'))).toEqual(['a', 'b']);
    expect(await readFile(inGuest('a'), 'utf8')).toBe('1');
  });

  test('keeps who may run it, and with -p its time', async () => {
    await writeFiles(here, { run: '#!/bin/sh\n' });
    await chmod(join(here, 'run'), 0o750);
    await utimes(join(here, 'run'), 1_000_000, 1_000_000);
    await copy(join(here, 'run'), 'web:run');
    expect((await stat(inGuest('run'))).mode & 0o777).toBe(0o750);
    await copy('-p', 'web:run', join(here, 'now'));
    await copy('-p', join(here, 'run'), 'web:old');
    expect((await stat(inGuest('old'))).mtimeMs).toBe(1_000_000_000);
    expect((await stat(join(here, 'now'))).mtimeMs).toBe(
      Math.floor((await stat(inGuest('run'))).mtimeMs / 1000) * 1000,
    );
  });

  test('that is replaced keeps its permissions, and a link stays a link', async () => {
    await writeFiles(world.home, { secret: 'old' });
    await chmod(inGuest('secret'), 0o600);
    await symlink('secret', inGuest('link'));
    await writeFiles(here, { a: 'new' });
    await copy(join(here, 'a'), 'web:link');
    expect(await readlink(inGuest('link'))).toBe('secret');
    expect(await readFile(inGuest('secret'), 'utf8')).toBe('new');
    expect((await stat(inGuest('secret'))).mode & 0o777).toBe(0o600);
  });

  test('goes from a VM to a VM, through this machine', async () => {
    await writeFiles(world.home, { 'from/a': '1' });
    await copy('-r', 'web:from', 'web:to');
    expect(await readFile(inGuest('to/a'), 'utf8')).toBe('1');
  });

  test('may come from standard input and go to standard output', async () => {
    const streams = { input: new PassThrough().end('piped'), output: new PassThrough() };
    Object.assign(world.here.context.streams, streams);
    await copy('-', 'web:piped');
    expect(await readFile(inGuest('piped'), 'utf8')).toBe('piped');
    const said = buffer(streams.output);
    await copy('web:piped', '-');
    streams.output.end();
    expect((await said).toString()).toBe('piped');
    // Nobody had anything to say, and that is no failure.
    Object.assign(world.here.context.streams, {
      input: new PassThrough(),
      output: new PassThrough(),
    });
    await copy('web:piped', '-');
  });
});

describe('a folder', () => {
  const TREE = { 'a/x': '1', 'a/b/y z': '2', 'a/b/ü': '3', 'a/.hidden': '4' };

  test('goes with all that is in it, there and back', async () => {
    await writeFiles(here, TREE);
    await symlink('b/y z', join(here, 'a/link'));
    await symlink('/nowhere', join(here, 'a/broken'));
    await mkdir(join(here, 'a/empty'));
    await copy('-r', join(here, 'a'), 'web:new');
    await copy('-r', 'web:new', join(here, 'back'));
    const list = async (folder: string) => (await readdir(folder, { recursive: true })).sort();
    expect(await list(join(here, 'back'))).toEqual(await list(join(here, 'a')));
    expect(await readFile(join(here, 'back/b/y z'), 'utf8')).toBe('2');
    expect(await readlink(join(here, 'back/link'))).toBe('b/y z');
    expect(await readlink(join(here, 'back/broken'))).toBe('/nowhere');
  });

  test('is put into one that is there, and . means what is in it', async () => {
    await writeFiles(here, TREE);
    await mkdir(inGuest('in'));
    await copy('-r', join(here, 'a'), 'web:in');
    expect(await readdir(inGuest('in'))).toEqual(['a']);
    await copy('-r', 'web:in/.', join(here, 'got'));
    expect(await readdir(join(here, 'got'))).toEqual(['a']);
  });

  test('keeps times and permissions with -p', async () => {
    await writeFiles(here, TREE);
    await chmod(join(here, 'a/b'), 0o500);
    await utimes(join(here, 'a/b'), 5_000, 5_000);
    await copy('-rp', join(here, 'a'), 'web:a');
    const { mode, mtimeMs } = await stat(inGuest('a/b'));
    expect([mode & 0o777, mtimeMs]).toEqual([0o500, 5_000_000]);
    await chmod(inGuest('a/b'), 0o700);
    await chmod(join(here, 'a/b'), 0o700);
  });

  test('is refused without -r, before anything is made', async () => {
    await writeFiles(here, TREE);
    await expect(copy(join(here, 'a'), 'web:new')).rejects.toMatchObject({ code: 'usage' });
    expect(await readdir(world.home)).toEqual([]);
  });
});

describe('what fails', () => {
  test.each([
    ['web:none', 'here', 'not_found', 'There is no none.'],
    ['none', 'web:', 'not_found', 'There is no none.'],
    ['web:none', 'web:/nowhere/x', 'not_found', 'There is no none.'],
  ])('%s to %s says what', async (from, to, code, message) => {
    await expect(copy(from, to)).rejects.toMatchObject({ code, message });
  });

  test('says where there is no room for it', async () => {
    await writeFiles(here, { a: '1' });
    await expect(copy(join(here, 'a'), 'web:no/where')).rejects.toMatchObject({
      message: 'no/where: there is no such file or folder.',
    });
  });

  test('leaves what was there, and no half of a file', async () => {
    await writeFiles(world.home, { big: 'old' });
    const input = new PassThrough();
    input.write(randomBytes(1_000_000));
    Object.assign(world.here.context.streams, { input });
    const ended = copy('-', 'web:big');
    await expect.poll(() => readdir(world.home)).toHaveLength(2);
    world.here.stop.abort(new GolemError('interrupted'));
    await expect(ended).rejects.toMatchObject({ code: 'interrupted' });
    expect(await readdir(world.home)).toEqual(['big']);
    expect(await readFile(inGuest('big'), 'utf8')).toBe('old');
  });

  test('by a relay that is lost leaves half of it under a name that says so', async () => {
    const input = new PassThrough();
    input.write(randomBytes(1_000_000));
    Object.assign(world.here.context.streams, { input });
    const ended = copy('-', 'web:big');
    await expect.poll(() => readdir(world.home)).toHaveLength(1);
    world.guest.cut();
    await expect(ended).rejects.toMatchObject({ code: 'relay_failed' });
    expect(await readdir(world.home)).toEqual([expect.stringMatching(/^big\.[0-9a-f]{8}\.part$/)]);
  });

  test(
    'because the guest does not answer ends by Ctrl-C, and the file there is as it was',
    ROOM,
    async () => {
      await writeFiles(world.home, { big: 'old' });
      const input = new PassThrough();
      Object.assign(world.here.context.streams, { input });
      const ended = copy('-', 'web:big');
      await expect.poll(() => readdir(world.home)).toHaveLength(2);
      world.guest.freeze();
      input.end(randomBytes(8_000_000));
      await expect.poll(() => input.readableLength).toBeLessThan(8_000_000);
      world.here.stop.abort(new GolemError('interrupted'));
      await expect(ended).rejects.toMatchObject({ code: 'interrupted' });
      expect(await readFile(inGuest('big'), 'utf8')).toBe('old');
    },
  );

  test.each(['nobody answers', 'no SFTP is served'])('where %s ends by Ctrl-C', async (how) => {
    const asked = Promise.withResolvers<void>();
    if (how === 'nobody answers') {
      world.guest.isSilent = true;
      const { sshUpgrade } = world.here.context.client;
      world.here.context.client.sshUpgrade = async (...words) => {
        asked.resolve();
        return sshUpgrade(...words);
      };
    }
    world.guest.sftp = () => asked.resolve();
    const ended = copy('web:a', join(here, 'a'));
    await asked.promise;
    world.here.stop.abort(new GolemError('interrupted'));
    await expect(ended).rejects.toMatchObject({ code: 'interrupted' });
  });

  test('in the words of a guest moves no cursor, and is no bug of ours', async () => {
    world.guest.sftp = (channel) => serve(channel, '\u001b]0;x\u0007\u001b[2J');
    const error: unknown = await copy(join(here, 'a'), 'web:').catch((cause: unknown) => cause);
    expect(errorLines(error, false)).toEqual([
      'golem: .: the guest could not do that; its disk may be full.',
    ]);
  });

  test('by a guest that does not speak SFTP says so', async () => {
    world.guest.sftp = (channel) => serve(channel, undefined);
    await expect(copy('web:a', join(here, 'a'))).rejects.toMatchObject({
      code: 'relay_failed',
      message: expect.stringContaining('does not speak SFTP'),
    });
  });
});

/** An SFTP server that fails at everything with these words, or that answers with what is no packet. */
function serve(channel: ServerChannel, words: string | undefined): void {
  const packet = (type: number, ...parts: Buffer[]) => {
    const body = Buffer.concat([Buffer.of(type), ...parts]);
    return Buffer.concat([uint(body.length), body]);
  };
  channel.on('data', (request: Buffer) => {
    const [INIT, VERSION, STATUS, ATTRS, FAILURE] = [1, 2, 101, 105, 4];
    if (request[4] === INIT) channel.write(packet(VERSION, uint(3)));
    else if (words === undefined) channel.write(packet(ATTRS));
    else {
      const id = request.subarray(5, 9);
      const text = Buffer.from(words);
      channel.write(packet(STATUS, id, uint(FAILURE), uint(text.length), text, uint(0)));
    }
  });
}

function uint(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
