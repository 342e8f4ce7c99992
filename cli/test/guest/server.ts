/**
 * A guest in this process, at the end of a relay in this process: a real SSH server behind the real pump,
 * with this machine's shell, SFTP server and TCP in a folder of its own as its home.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { duplexPair } from 'node:stream';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import ssh2, { type ServerChannel } from 'ssh2';
import { WebSocketServer, type WebSocket } from 'ws';
import { carry, openSide } from '../../src/tunnel/relay.ts';
import { readRelaySettings } from '../../src/tunnel/settings.ts';

const SFTP_SERVER = '/usr/lib/openssh/sftp-server';

export interface GuestServer extends AsyncDisposable {
  /** WebSocket URL of its relay. */
  readonly url: string;
  /** OpenSSH line. */
  readonly hostKey: string;
  /** How many logins there were. */
  readonly logins: () => number;
  /** Ends all connections, as a relay does that goes away. */
  cut(): void;
  /** Has all programs stand still, the SFTP server included. */
  freeze(): void;
  /** Serves SFTP from now on. */
  sftp: ((channel: ServerChannel) => void) | undefined;
  /** Serves nothing: whoever connects is not answered. */
  isSilent: boolean;
  /** What is answered to the next upgrades instead of opening. */
  refuse: { readonly status: number; readonly body: unknown } | undefined;
}

export interface GuestServerOptions {
  /** OpenSSH lines that are let in. */
  readonly authorized: readonly string[];
  /** `$HOME`, and where commands start. */
  readonly home: string;
}

export async function startGuest({ authorized, home }: GuestServerOptions): Promise<GuestServer> {
  const host = await generateOpenSshKeyPair();
  const children = new Set<ChildProcess>();
  let logins = 0;
  const ssh = new ssh2.Server({ hostKeys: [host.privateKey] }, (client) => {
    client.on('authentication', (attempt) => {
      const isKnown =
        attempt.method === 'publickey' &&
        authorized.some((line) => {
          const key = ssh2.utils.parseKey(line);
          if (key instanceof Error) throw key;
          if (!key.getPublicSSH().equals(attempt.key.data)) return false;
          const { signature, blob, hashAlgo } = attempt;
          return !signature || !blob || key.verify(blob, signature, hashAlgo);
        });
      if (isKnown) attempt.accept();
      else attempt.reject(['publickey']);
    });
    client.on('ready', () => (logins += 1));
    client.on('error', () => undefined);
    client.on('tcpip', (accept, reject, { destIP, destPort }) => {
      const socket = connect({ host: destIP, port: destPort, allowHalfOpen: true });
      socket.once('error', () => reject());
      socket.once('connect', () => {
        const channel = accept();
        channel.on('error', () => socket.destroy());
        socket.on('error', () => channel.destroy());
        socket.pipe(channel).pipe(socket);
      });
    });
    client.on('session', (accept) => {
      const session = accept();
      const start = (channel: ServerChannel, program: string, args: string[]) => {
        const env = { ...process.env, HOME: home };
        // A group of its own, so that a signal reaches what the shell has started.
        const child = spawn(program, args, { cwd: home, env, detached: true });
        children.add(child);
        session.on('signal', (_accept, _reject, { name }) => {
          process.kill(-(child.pid ?? 0), `SIG${name}` as NodeJS.Signals);
        });
        channel.pipe(child.stdin);
        child.stdin.on('error', () => undefined);
        child.stdout.pipe(channel, { end: false });
        child.stderr.pipe(channel.stderr, { end: false });
        channel.on('close', () => child.kill());
        child.once('close', (code, signal) => {
          children.delete(child);
          if (signal === null) channel.exit(code ?? 0);
          else channel.exit(signal.slice('SIG'.length));
          channel.end();
        });
      };
      session.on('exec', (accept, _reject, { command }) => start(accept(), 'sh', ['-c', command]));
      session.on('subsystem', (accept) => {
        if (server.sftp) server.sftp(accept());
        else start(accept(), SFTP_SERVER, []);
      });
    });
  });
  ssh.on('error', () => undefined);

  const http = createServer();
  const relay = new WebSocketServer({ noServer: true });
  const stop = new AbortController();
  const server: GuestServer = {
    url: '',
    hostKey: host.publicKey,
    logins: () => logins,
    refuse: undefined,
    sftp: undefined,
    isSilent: false,
    freeze: () => {
      for (const child of children) child.kill('SIGSTOP');
    },
    cut: () => {
      for (const socket of relay.clients) socket.close(4003, 'the other end is gone');
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort(new Error('the guest is gone'));
      for (const socket of relay.clients) socket.terminate();
      for (const child of children) child.kill('SIGKILL');
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  const serve = (socket: WebSocket) => {
    const [near, far] = duplexPair();
    const signal = stop.signal;
    const again = () => Promise.reject(new Error('not taken up again'));
    const settings = readRelaySettings({});
    const options = { again, input: far.iterator({ destroyOnReturn: false }), output: far };
    far.on('error', () => undefined);
    near.on('error', () => undefined);
    carry(openSide(socket), { ...options, signal, settings }).then(
      () => near.end(),
      () => near.destroy(),
    );
    if (!server.isSilent) ssh.injectSocket(near as Parameters<typeof ssh.injectSocket>[0]);
  };
  http.on('upgrade', (request, socket, head) => {
    const { refuse } = server;
    if (!refuse) return relay.handleUpgrade(request, socket, head, serve);
    const body = JSON.stringify(refuse.body);
    socket.end(`HTTP/1.1 ${refuse.status} No\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return Object.assign(server, {
    url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/v1/ssh`,
  });
}
