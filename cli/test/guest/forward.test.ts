/** `golem vm forward`, `golem vm proxy NAME PORT` and the built-in ssh, to real TCP servers in the guest. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { PassThrough } from 'node:stream';
import { GolemError } from '@vm-on-golem/shared/errors';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { forward } from '../../src/commands/vm/forward.ts';
import { proxy } from '../../src/commands/vm/proxy.ts';
import { ssh } from '../../src/commands/vm/ssh.ts';
import { GUEST_LIMITS } from '../../src/guest/limits.ts';
import { parseArgv } from '../../src/program/argv.ts';
import { worldOf, type World } from './world.ts';

/** For hundreds of connections. */
const ROOM = { timeout: 30_000 };

let world: World;
/** In the guest: answers with what it is told, when it has been told all. */
let echo: Server;
let port: number;
beforeEach(async () => {
  world = await worldOf();
  echo = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    void buffer(socket).then((all) => socket.end(`heard ${all.toString()}`));
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  port = (echo.address() as AddressInfo).port;
});
afterEach(async () => {
  world.here.stop.abort(new GolemError('interrupted'));
  echo.close();
  await world[Symbol.asyncDispose]();
});

function follow(...words: string[]) {
  const values = forward.follow?.(world.here.context, parseArgv(forward, words));
  if (!values) throw new Error('it is not followed');
  return values[Symbol.asyncIterator]();
}

async function dial(to: number, host = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port: to, host, allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

/** What is answered, or undefined where the connection is refused. */
async function again(to: number): Promise<string | undefined> {
  const socket = await dial(to);
  socket.end('again');
  return text(socket).then(
    (answer) => answer || undefined,
    () => undefined,
  );
}

describe('forward', () => {
  test('says where it listens, leads there many times, and ends by Ctrl-C', async () => {
    const forwarding = follow('web', `0:${port}`, '-L', `127.0.0.2:0:127.0.0.1:${port}`);
    const [first, second] = (await forwarding.next()).value ?? [];
    expect(first).toMatchObject({ address: '127.0.0.1', host: 'localhost', hostPort: port });
    expect(second).toMatchObject({ address: '127.0.0.2', host: '127.0.0.1', hostPort: port });
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, at) => {
        const place = at % 2 === 0 ? first : second;
        const socket = await dial(place?.port ?? 0, place?.address);
        socket.end(`no ${at}`);
        return text(socket);
      }),
    );
    expect(answers).toEqual(answers.map((_, at) => `heard no ${at}`));
    expect(world.guest.logins()).toBe(1);
    world.here.stop.abort(new GolemError('interrupted'));
    await expect(forwarding.next()).resolves.toMatchObject({ done: true });
    await expect(dial(first?.port ?? 0)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('survives a relay that was lost: the next connection makes a new login', async () => {
    const forwarding = follow('web', `0:${port}`);
    const [there] = (await forwarding.next()).value ?? [];
    const before = await dial(there?.port ?? 0);
    before.on('error', () => undefined);
    const closed = new Promise((resolve) => void before.once('close', resolve));
    world.guest.cut();
    before.resume();
    await closed;
    await expect.poll(() => world.here.notes.join()).toContain('was lost');
    const socket = await dial(there?.port ?? 0);
    socket.end('again');
    await expect(text(socket)).resolves.toBe('heard again');
    expect(world.guest.logins()).toBe(2);
  });

  test('refuses a connection that the guest cannot make, and goes on', async () => {
    const nobody = createServer().listen(0, '127.0.0.1');
    await once(nobody, 'listening');
    const closedPort = (nobody.address() as AddressInfo).port;
    await new Promise((resolve) => nobody.close(resolve));
    const forwarding = follow('web', `0:${closedPort}`, `0:${port}`);
    const [shut, open] = (await forwarding.next()).value ?? [];
    const socket = await dial(shut?.port ?? 0);
    await expect(once(socket.resume(), 'close')).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(world.here.notes.join()).toContain('A connection was refused');
    const other = await dial(open?.port ?? 0);
    other.end('x');
    await expect(text(other)).resolves.toBe('heard x');
  });

  test('takes so many connections at once and no more, and says so once', ROOM, async () => {
    const forwarding = follow('web', `0:${port}`);
    const [there] = (await forwarding.next()).value ?? [];
    const most = GUEST_LIMITS.forwardedConnections;
    const sockets = await Promise.all(Array.from({ length: most }, () => dial(there?.port ?? 0)));
    for (const _ of [1, 2]) {
      const late = await dial(there?.port ?? 0);
      late.on('error', () => undefined);
      await new Promise((resolve) => void late.end().resume().once('close', resolve));
    }
    expect(world.here.notes.filter((note) => note.includes(`has ${most} already`))).toHaveLength(1);
    // Those that are there are served, and make room.
    const answers = sockets.map((socket, at) => text(socket.end(`no ${at}`)));
    expect(await Promise.all(answers)).toEqual(answers.map((_, at) => `heard no ${at}`));
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => again(there?.port ?? 0)).toBe('heard again');
  });

  test.each([[['web']], [['web', 'x:y']]])('of %j is a usage error', async (words) => {
    await expect(follow(...words).next()).rejects.toMatchObject({ code: 'usage' });
  });

  test('on a port that is taken says so', async () => {
    await expect(follow('web', `${port}:80`).next()).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('EADDRINUSE'),
    });
  });
});

test('proxy to a port of the guest carries both ways, each to its own end', async () => {
  const streams = { input: new PassThrough().end('hello'), output: new PassThrough() };
  Object.assign(world.here.context.streams, streams);
  const said = buffer(streams.output);
  await world.here.run(proxy, 'web', String(port));
  streams.output.end();
  expect((await said).toString()).toBe('heard hello');
  await expect(world.here.run(proxy, 'web', '0')).rejects.toMatchObject({ code: 'usage' });
});

describe('the built-in ssh', () => {
  test('runs a line in the shell there, and its exit code is ours', async () => {
    const { code, stdout } = await world.run(ssh, [
      '--builtin',
      'web',
      '--',
      'echo',
      '$HOME;',
      'exit',
      '9',
    ]);
    expect(code).toBe(9);
    expect(stdout.toString()).toBe(`${world.home}\n`);
  });

  test('leads ports there with -L and -N until Ctrl-C', async () => {
    const ended = world.run(ssh, ['--builtin', '-N', '-L', `0:localhost:${port}`, 'web']);
    const note = () => world.here.notes.find((line) => line.includes('->'));
    await expect.poll(note).toMatch(/^127\.0\.0\.1:\d+ -> /);
    const socket = await dial(Number(/:(\d+) /.exec(note() ?? '')?.[1]));
    socket.end('x');
    await expect(text(socket)).resolves.toBe('heard x');
    world.here.stop.abort(new GolemError('interrupted'));
    await expect(ended).rejects.toMatchObject({ code: 'interrupted' });
  });

  test('says what it cannot do', async () => {
    await expect(world.run(ssh, ['--builtin', '-D', '1080', 'web'])).rejects.toMatchObject({
      code: 'unsupported',
      message: '-D needs OpenSSH.',
    });
  });
});
