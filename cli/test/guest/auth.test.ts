/** Keys as ssh-keygen writes them, ssh-agent as it is, and a guest that takes one of them. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exec } from '../../src/commands/vm/exec.ts';
import { offeredKeys } from '../../src/guest/auth.ts';
import { contextOf, type TestContext } from '../context.ts';
import { vmOf } from '../network.ts';
import { startGuest, type GuestServer } from './server.ts';

const run = promisify(execFile);
const PASSPHRASE = 'open sesame';

let here: TestContext;
let guest: GuestServer | undefined;
let agent: ChildProcess | undefined;
let asked: string[];
let answers: (string | undefined)[];
beforeEach(async () => {
  here = await contextOf();
  asked = [];
  answers = [];
  here.context.client.sshUpgrade = async () => ({ url: guest?.url ?? '', headers: {} });
  Object.assign(here.context, {
    ask: async (question: string, isSecret: boolean) => {
      asked.push(`${question}${isSecret ? '(secret)' : ''}`);
      return answers.shift();
    },
  });
});
afterEach(async () => {
  await guest?.[Symbol.asyncDispose]();
  guest = undefined;
  if (agent) {
    const ended = once(agent, 'exit');
    agent.kill();
    await ended;
    agent = undefined;
  }
  await here[Symbol.asyncDispose]();
});

/** @returns the private key file */
async function keygen(type: string, passphrase = ''): Promise<string> {
  const file = join(here.folder, `key-${type}`);
  const bits = type === 'rsa' ? ['-b', '2048'] : [];
  // One round of what makes guessing slow: each try would take a second here.
  const rounds = ['-a', '1'];
  const words = ['-q', '-t', type, ...bits, ...rounds, '-N', passphrase, '-C', '', '-f', file];
  await run('ssh-keygen', words);
  return file;
}

/** A VM that lets in the key of `file`. */
async function rent(file: string): Promise<void> {
  const home = join(here.folder, 'home');
  await mkdir(home);
  guest = await startGuest({ authorized: [await readFile(`${file}.pub`, 'utf8')], home });
  const vm = vmOf({ hostKey: guest.hostKey });
  await here.context.book.put({ name: 'web', provider: `gp_${'p'.repeat(26)}`, vm, sshKey: file });
}

async function startAgent(...files: string[]): Promise<void> {
  const socket = join(here.folder, 'agent');
  agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  await expect.poll(() => existsSync(socket)).toBe(true);
  const env = { ...process.env, SSH_AUTH_SOCK: socket };
  for (const file of files) await run('ssh-add', ['-q', file], { env });
  Object.assign(here.context, { env: { SSH_AUTH_SOCK: socket } });
}

const enter = () => {
  here.context.streams.input.destroy();
  return here.run(exec, 'web', 'true');
};

test.each(['ed25519', 'ecdsa', 'rsa'])('a key of type %s goes in', async (type) => {
  await rent(await keygen(type));
  await expect(enter()).resolves.toBe(0);
  expect(asked).toEqual([]);
});

describe('a key with a passphrase', () => {
  test('is asked for, again when it was wrong, and no more than three times', async () => {
    const file = await keygen('ed25519', PASSPHRASE);
    await rent(file);
    answers = ['wrong', PASSPHRASE];
    await expect(enter()).resolves.toBe(0);
    expect(asked).toEqual(Array(2).fill(`Passphrase of ${file}: (secret)`));
    answers = ['wrong', 'wrong', 'wrong', PASSPHRASE];
    await expect(enter()).rejects.toMatchObject({ code: 'forbidden' });
    expect(answers).toEqual([PASSPHRASE]);
  });

  test('where nobody can be asked is named, with what helps', async () => {
    await rent(await keygen('ed25519', PASSPHRASE));
    await expect(enter()).rejects.toMatchObject({
      code: 'needs_input',
      hint: expect.stringContaining('ssh-add'),
    });
    expect(guest?.logins()).toBe(0);
  });

  test('is taken from ssh-agent without being asked for, and without its file', async () => {
    const file = await keygen('ed25519');
    const other = await keygen('ecdsa');
    await rent(file);
    await startAgent(other, file);
    await run('ssh-keygen', ['-q', '-p', '-a', '1', '-P', '', '-N', PASSPHRASE, '-f', file]);
    await expect(enter()).resolves.toBe(0);
    await rm(file);
    await expect(enter()).resolves.toBe(0);
    expect(asked).toEqual([]);
  });
});

test('an agent shows the guest the one key that it is about', async () => {
  const file = await keygen('ed25519');
  await startAgent(await keygen('rsa'), await keygen('ecdsa'), file);
  const { env, ask } = here.context;
  const offered = await offeredKeys({ file, agent: env['SSH_AUTH_SOCK'], ask });
  const held = offered.find(({ kind }) => kind === 'agent');
  if (held?.kind !== 'agent') throw new Error('there is no agent');
  const keys = await new Promise<unknown[]>((resolve) => {
    held.agent.getIdentities((_error, keys) => resolve(keys ?? []));
  });
  expect(keys).toHaveLength(1);
});

test.each([
  ['no agent, and no file', undefined, 'not_found'],
  ['a file that is no key', 'nonsense', 'invalid_request'],
  ['an agent that is not there', undefined, 'not_found'],
])('%s: an error that says so', async (what, text, code) => {
  const file = join(here.folder, 'key');
  if (text !== undefined) await writeFile(file, text);
  const agent = what.includes('that is not there') ? join(here.folder, 'nobody') : undefined;
  await expect(offeredKeys({ file, agent, ask: here.context.ask })).rejects.toMatchObject({ code });
});

test('a public key in the place of the private one is named', async () => {
  const file = `${await keygen('ed25519')}.pub`;
  await expect(
    offeredKeys({ file, agent: undefined, ask: here.context.ask }),
  ).rejects.toMatchObject({ code: 'invalid_request', message: `${file} is a public key.` });
});
