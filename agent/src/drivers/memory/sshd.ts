/** The sshd of a memory guest: a real SSH server at the end of a byte stream inside this process. */
import { timingSafeEqual } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import ssh2, { type AuthContext, type ServerChannel, type Session } from 'ssh2';
import { ProgramError, type GuestSystem, type Input, type Output } from './programs.ts';
import type { SeededGuest } from './seed.ts';
import { interact, runLine } from './shell.ts';

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

function serveSession(session: Session, guest: GuestSystem): void {
  let hasTerminal = false;
  session.on('pty', (accept) => {
    hasTerminal = true;
    accept();
  });
  session.on('env', (accept) => accept());
  session.on('window-change', (accept) => accept());
  session.on('exec', (accept, _reject, { command }) => {
    const channel = accept();
    void serveProgram(channel, (stdin) => runLine(command, stdin, guest));
  });
  session.on('shell', (accept) => {
    const channel = accept();
    void serveProgram(channel, (stdin) => interact(stdin, guest, hasTerminal));
  });
}

async function serveProgram(
  channel: ServerChannel,
  program: (stdin: Input) => Output,
): Promise<void> {
  let exitCode = 0;
  async function* output() {
    try {
      exitCode = yield* program(channel.iterator({ destroyOnReturn: false }));
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
      exitCode = error.exitCode;
      channel.stderr.write(`${error.message}\n`);
    }
  }
  try {
    await pipeline(output, channel, { end: false });
    channel.exit(exitCode);
    channel.end();
  } catch {
    // The client went away, or the guest did: whatever ran in it ends.
    channel.destroy();
  }
}
