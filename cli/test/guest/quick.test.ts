/** A program that is so quick that all of it arrives in one piece. */
import { duplexPair, PassThrough, Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import ssh2 from 'ssh2';
import { expect, test } from 'vitest';
import { openGuest } from '../../src/guest/login.ts';

/** More than a server in this process takes for one answer. */
const GATHER_MILLIS = 50;

test('how it ended is not missed, and nobody waits for more', async () => {
  const [host, own] = [await generateOpenSshKeyPair(), await generateOpenSshKeyPair()];
  const [theirs, wire] = duplexPair();
  const server = new ssh2.Server({ hostKeys: [host.privateKey] }, (client) => {
    client.on('authentication', (attempt) => attempt.accept());
    client.on('error', () => undefined);
    client.on('session', (accept) => {
      accept().on('exec', (take) => {
        const channel = take();
        channel.write('done\n');
        channel.exit(3);
        channel.end();
      });
    });
  });
  server.injectSocket(theirs as Parameters<typeof server.injectSocket>[0]);

  const [stream, far] = duplexPair();
  const way = { isGathering: false };
  wire.pipe(gathering(way)).pipe(far).pipe(wire);
  const key = ssh2.utils.parseKey(own.privateKey);
  if (key instanceof Error) throw key;
  await using guest = await openGuest({
    stream,
    host: { name: 'web', hostKey: host.publicKey },
    user: 'root',
    keys: [{ kind: 'key', key }],
    signal: AbortSignal.timeout(30_000),
  });
  way.isGathering = true;
  const [output, error] = [new PassThrough(), new PassThrough()];
  const ended = guest.exec('true', { output, error, signal: AbortSignal.timeout(30_000) });
  expect(await ended).toEqual({ code: 3 });
  output.end();
  expect(await text(output)).toBe('done\n');
});

/** Once it is told to, hands on in one piece whatever comes until it has been quiet for a while. */
function gathering(way: { readonly isGathering: boolean }): Transform {
  let pieces: Buffer[] = [];
  let timer: NodeJS.Timeout | undefined;
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      if (!way.isGathering) return done(null, piece);
      // ssh2 writes into what it has given out.
      pieces.push(Buffer.from(piece));
      clearTimeout(timer);
      timer = setTimeout(() => {
        this.push(Buffer.concat(pieces));
        pieces = [];
      }, GATHER_MILLIS);
      done();
    },
  });
}
