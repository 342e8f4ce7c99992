/** A guest's console, read as it grows. */
import { paths } from '@vm-on-golem/shared/api';
import { errorBodySchema } from '@vm-on-golem/shared/error-body';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { consoleSchema, type Console } from '@vm-on-golem/shared/vm-commands';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ConsolePart } from '../src/drivers/console.ts';
import {
  overlay,
  Requestor,
  scratchFolder,
  startProvider,
  type Answered,
  type TestProvider,
} from './provider.ts';

const { publicKey: sshKey } = await generateOpenSshKeyPair();

let cleanup: AsyncDisposableStack;
let provider: TestProvider;
let alice: Requestor;
let vmId: string;
/** What the guest has written, and how often it was started. */
let written: Buffer;
let epoch: number;
/** Resolves with the next look at the console. */
let looked: PromiseWithResolvers<void>;

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  const { path: dir } = cleanup.use(await scratchFolder());
  written = Buffer.from('login: ');
  epoch = 1;
  looked = Promise.withResolvers();
  const console = async (_: string, maxBytes: number, after?: number): Promise<ConsolePart> => {
    looked.resolve();
    looked = Promise.withResolvers();
    const from = after === undefined ? Math.max(0, written.length - maxBytes) : after;
    return { bytes: written.subarray(from, from + maxBytes), from, epoch };
  };
  provider = cleanup.use(
    await startProvider({ dir, wrapDriver: (driver) => overlay(driver, { console }) }),
  );
  alice = await Requestor.of(provider);
  ({ id: vmId } = await alice.running('web'));
});
afterEach(() => cleanup.disposeAsync());

const write = (text: string) => {
  written = Buffer.concat([written, Buffer.from(text)]);
};
const ask = (query = '', who = alice, signal = new AbortController().signal): Promise<Answered> =>
  who.call('GET', paths.vmPart(provider.id, vmId, 'console') + query, { signal });
const shown = async (answered: Promise<Answered>): Promise<Console> => {
  const { status, body } = await answered;
  expect(status).toBe(200);
  return consoleSchema.parse(body);
};
const codeOf = ({ body }: Answered) => errorBodySchema.parse(body).error.code;

describe('what follows', () => {
  test('an answer is waited for, and missed by nobody', async () => {
    expect(await shown(ask())).toEqual({ text: 'login: ', from: 0, to: 7, epoch: 1 });
    const waiting = shown(ask('?after=7&wait=25&epoch=1'));
    await looked.promise;
    write('root\n');
    expect(await waiting).toEqual({ text: 'root\n', from: 7, to: 12, epoch: 1 });
    write('# one\n# two\n');
    expect(await shown(ask('?after=12&wait=25&epoch=1&bytes=6'))).toMatchObject({
      text: '# one\n',
    });
    expect(await shown(ask('?after=18&wait=25&epoch=1'))).toMatchObject({
      text: '# two\n',
      to: 24,
    });
  });

  test('is nothing, at once, for who does not wait', async () => {
    expect(await shown(ask('?after=7&epoch=1'))).toEqual({ text: '', from: 7, to: 7, epoch: 1 });
  });

  test('is the beginning when the console has begun anew, even if that is empty', async () => {
    const waiting = shown(ask('?after=7&wait=25&epoch=1'));
    await looked.promise;
    written = Buffer.alloc(0);
    epoch = 2;
    expect(await waiting).toEqual({ text: '', from: 0, to: 0, epoch: 2 });
    write('booting again, and longer than before\n');
    expect(await shown(ask('?after=7&wait=25&epoch=1'))).toMatchObject({
      ...{ text: 'booting again, and longer than before\n', from: 0, epoch: 2 },
    });
  });

  test('comes with whole characters', async () => {
    write('\u20ac');
    written = written.subarray(0, -1);
    const waiting = shown(ask('?after=7&wait=25&epoch=1'));
    await looked.promise;
    written = Buffer.concat([written, Buffer.from('\u20ac').subarray(2)]);
    expect(await waiting).toMatchObject({ text: '\u20ac', from: 7, to: 10 });
  });
});

describe('who waits', () => {
  test('is told when the VM is gone', async () => {
    const waiting = ask('?after=7&wait=25&epoch=1');
    await looked.promise;
    await alice.done('DELETE', paths.vm(provider.id, vmId));
    expect(codeOf(await waiting)).toBe('vm_not_found');
  });

  test('and is shut out reads no more', async () => {
    const bob = await Requestor.of(provider);
    const grants = paths.vmPart(provider.id, vmId, 'grants');
    await alice.call('POST', grants, { body: { requestor: bob.id, sshKey } });
    const waiting = ask('?after=7&wait=25&epoch=1', bob);
    await looked.promise;
    await alice.call('DELETE', paths.grant(provider.id, vmId, bob.id));
    write('secret\n');
    expect(codeOf(await waiting)).toBe('vm_not_found');
  });

  test('and goes away costs nothing more', async () => {
    const client = new AbortController();
    const waiting = ask('?after=7&wait=25&epoch=1', alice, client.signal);
    await looked.promise;
    client.abort();
    expect(await shown(waiting)).toMatchObject({ text: '' });
  });

  test('does not keep an agent from stopping', async () => {
    const waiting = ask('?after=7&wait=25&epoch=1');
    await looked.promise;
    provider.vms.queries.stop();
    expect(await shown(waiting)).toMatchObject({ text: '', to: 7 });
  });
});

test.each(['?after=-1', '?after=x', '?wait=26', '?bytes=0', '?epoch=1.5', '?color=1'])(
  '%s is refused',
  async (query) => {
    expect(codeOf(await ask(query))).toBe('invalid_request');
  },
);
