/** The sshd of a memory guest: a real SSH server at the end of a byte stream inside this process. */
import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import ssh2, { type AuthContext, type ServerChannel, type Session as SshSession } from 'ssh2';
import { ProgramError, type GuestSystem, type Input, type Write } from './programs.ts';
import type { SeededGuest } from './seed.ts';
import { interact, runLine, type Session } from './shell.ts';

/** Serves one connection until either side ends it. */
export function serveSsh(stream: Duplex, seeded: SeededGuest, guest: GuestSystem): void {
  const server = new ssh2.Server({ hostKeys: [seeded.hostPrivateKey] }, (client) => {
    client.on('authentication', (attempt) => {
      if (mayLogIn(attempt, seeded, guest.user)) attempt.accept();
      else attempt.reject(['publickey']);
    });
    client.on('session', (accept) => serveSession(accept(), guest));
    // Nothing of a guest depends on how a client goes away.
    client.on('error', () => stream.destroy());
  });
  // A readiness probe goes before it has said anything; ssh2 reports that here.
  server.on('error', () => stream.destroy());
  // As sshd does, which has nothing to say to whoever says nothing more.
  stream.once('end', () => stream.end());
  server.injectSocket(stream as Parameters<typeof server.injectSocket>[0]);
}

function mayLogIn(attempt: AuthContext, seeded: SeededGuest, user: string): boolean {
  if (attempt.method !== 'publickey' || attempt.username !== user) return false;
  const { key, signature, blob, hashAlgo } = attempt;
  const authorized = seeded.authorizedKeys.find((known) => {
    const data = known.getPublicSSH();
    return data.length === key.data.length && timingSafeEqual(data, key.data);
  });
  if (!authorized) return false;
  // Without a signature the client only asks whether this key is worth trying.
  if (!signature || !blob) return true;
  return authorized.verify(blob, signature, hashAlgo);
}

/** ssh2 passes none where the client wants no answer, whatever its types say. */
type Accept = (() => void) | undefined;

function serveSession(session: SshSession, guest: GuestSystem): void {
  let hasTerminal = false;
  session.on('pty', (accept: Accept) => {
    hasTerminal = true;
    accept?.();
  });
  session.on('env', (accept: Accept) => accept?.());
  session.on('window-change', (accept: Accept) => accept?.());
  session.on('exec', (accept, _reject, { command }) => {
    const channel = accept();
    void serveProgram(channel, (session) => runLine(command, { ...session, guest }));
  });
  session.on('shell', (accept) => {
    const channel = accept();
    void serveProgram(channel, (session) => interact({ ...session, guest }, hasTerminal));
  });
}

async function serveProgram(
  channel: ServerChannel,
  program: (session: Pick<Session, 'stdin' | 'write'>) => Promise<number>,
): Promise<void> {
  const gone = new AbortController();
  channel.once('close', () => gone.abort());
  const write: Write = async (chunk) => {
    gone.signal.throwIfAborted();
    if (!channel.write(chunk)) await once(channel, 'drain', { signal: gone.signal });
  };
  const stdin: Input = channel.iterator({ destroyOnReturn: false });
  try {
    channel.exit(await program({ stdin, write }));
    channel.end();
  } catch (error) {
    if (error instanceof ProgramError) {
      channel.stderr.write(`${error.message}\n`);
      channel.exit(error.exitCode);
      channel.end();
    } else {
      // The client went away, or the guest did: whatever ran in it ends.
      channel.destroy();
    }
  }
}
