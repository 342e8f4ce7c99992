/** Real sockets, real processes, a real other user. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { get, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ControlClient } from './client.ts';
import { controlPath, listenForOperator } from './socket.ts';

let dir: string;
let cleanup: AsyncDisposableStack;
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  dir = await mkdtemp(join(tmpdir(), 'control-'));
  cleanup.defer(() => rm(dir, { recursive: true, force: true }));
});
afterEach(() => cleanup.disposeAsync());

const listen = async (listener: RequestListener, folder = dir) =>
  void cleanup.use(await listenForOperator(folder, listener));

const hello = (_request: unknown, response: { end(text: string): unknown }) =>
  response.end('hello');

async function ask(path: string): Promise<string> {
  const request = get({ socketPath: path, path: '/', agent: false });
  const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
  return text(response);
}

/** Tries to connect as a user who is nobody here. @returns the error's code, or `open` */
function asNobody(path: string): string {
  const program = `require('net').connect(process.argv[1])
    .on('connect', () => { console.log('open'); process.exit(); })
    .on('error', (error) => console.log(error.code));`;
  const words = ['--reuid=65534', '--regid=65534', '--clear-groups'];
  const { stdout, stderr } = spawnSync('setpriv', [...words, 'node', '-e', program, path], {
    encoding: 'utf8',
  });
  return stdout.trim() || stderr;
}

describe('the control socket', () => {
  test('answers its user, has mode 0600, and leaves nothing behind', async () => {
    const socket = await listenForOperator(dir, hello);
    const path = controlPath(dir);
    expect(await ask(path)).toBe('hello');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(dir)).toEqual(['control.sock']);
    await socket[Symbol.asyncDispose]();
    expect(await readdir(dir)).toEqual([]);
  });

  test('cannot be opened by another user, even in a folder that everybody may enter', async () => {
    if (process.getuid?.() !== 0) throw new Error('this test has to run as root');
    await chmod(dir, 0o777);
    await listen(hello);
    expect(asNobody(controlPath(dir))).toBe('EACCES');
    // The same user gets through where the mode allows it: it is the mode that keeps them out.
    await chmod(controlPath(dir), 0o666);
    expect(asNobody(controlPath(dir))).toBe('open');
  });

  test('takes the place of the socket of an agent that was killed', async () => {
    const program = `require('net').createServer().listen(process.argv[1], () => console.log('up'))`;
    const dead = spawn(process.execPath, ['-e', program, controlPath(dir)]);
    await once(dead.stdout, 'data');
    dead.kill('SIGKILL');
    await once(dead, 'exit');
    await expect(ask(controlPath(dir))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await listen(hello);
    expect(await ask(controlPath(dir))).toBe('hello');
  });

  test('ends though somebody holds a connection open', async () => {
    const socket = await listenForOperator(dir, () => {});
    const request = get({ socketPath: controlPath(dir), path: '/' });
    await once(request, 'finish');
    const broken = once(request, 'error');
    await socket[Symbol.asyncDispose]();
    expect(((await broken)[0] as NodeJS.ErrnoException).code).toBe('ECONNRESET');
  });

  test('has a path that a socket can have, or none', () => {
    const longest = `/${'x'.repeat(103 - 1 - '/control.sock'.length)}`;
    expect(Buffer.byteLength(controlPath(longest))).toBe(103);
    expect(() => controlPath(`${longest}x`)).toThrow('too long for a socket');
    expect(() => controlPath(`/${'é'.repeat(50)}`)).toThrow('too long for a socket');
    const pipe = controlPath('C:\\Users\\me', 'win32');
    expect(pipe).toMatch(/^\\\\\.\\pipe\\golem-provider-[0-9a-f]{16}$/);
    expect(controlPath('c:\\users\\ME', 'win32')).toBe(pipe);
  });

  test('can be at the longest path that it may have', async () => {
    const long = join(dir, 'x'.repeat(103 - '/control.sock'.length - dir.length - 1));
    await expect(listenForOperator(long, hello)).rejects.toMatchObject({ code: 'ENOENT' });
    await mkdir(long);
    await listen(hello, long);
    expect(await ask(controlPath(long))).toBe('hello');
  });
});

describe('the client', () => {
  const answerWith = (answer: string, code: number) =>
    listen((_request, response) => response.writeHead(code).end(answer));

  test('says that nobody is there', async () => {
    await expect(new ControlClient(dir).status()).rejects.toMatchObject({
      code: 'not_running',
      exitCode: 7,
    });
    await writeFile(controlPath(dir), 'no socket');
    await expect(new ControlClient(dir).status()).rejects.toMatchObject({ code: 'not_running' });
  });

  test.each([
    ['no JSON', 200],
    ['{}', 200],
    ['{}', 500],
    ['', 204],
  ])('believes no answer that makes no sense: %j with %i', async (answer, code) => {
    await answerWith(answer, code);
    await expect(new ControlClient(dir).status()).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringContaining('no answer that makes sense') as string,
    });
  });

  test('passes on what the agent refuses', async () => {
    const error = { code: 'wrong_state', message: 'No.', hint: 'Wait.', retryable: false };
    await answerWith(JSON.stringify({ error }), 409);
    await expect(new ControlClient(dir).stop()).rejects.toMatchObject({
      code: 'wrong_state',
      message: 'No.',
      hint: 'Wait.',
    });
  });
});
