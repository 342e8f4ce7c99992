/** Our own way to a VM: discovery, an agent, a VM that is this machine, and `golem` as the proxy. */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { RelayMode } from '../../discovery-worker/src/objects/relay/modes.ts';
import { golemFor } from '../../test/golem.ts';
import { startProcess } from '../../test/process.ts';

const root = join(import.meta.dirname, '../..');
const READY_MILLIS = 60_000;

export interface NetworkOptions {
  /** As ssh is to call it. */
  readonly name: string;
  readonly dir: string;
  readonly mode: RelayMode;
  /** Of the guest's sshd. */
  readonly port: number;
  /** What stands in front of discovery, for agent and requestor alike. */
  readonly front?: 'tls' | { readonly delayMillis: number };
  /** Path of the `golem` that is measured. */
  readonly program: string;
  /** The largest window of the requestor, in KiB. */
  readonly windowKib?: number;
}

export interface Network extends AsyncDisposable {
  /** For an ssh_config. */
  readonly host: string;
  /** Words of a shell that run what follows on the guest, by `golem vm ssh`. */
  readonly enter: string;
  /** Folder of the guest's sshd: its host key, and who may come in. */
  readonly guest: string;
  /** The requestor's private key. */
  readonly key: string;
}

export async function startNetwork(options: NetworkOptions): Promise<Network> {
  const { name, dir, mode, port, front } = options;
  await mkdir(dir, { recursive: true });
  await using cleanup = new AsyncDisposableStack();
  const start = async <Ready>(what: string, args: readonly string[], env = process.env) => {
    const started = await startProcess<Ready>({
      ...{ name: what, command: [process.execPath, ...args], env },
      ...{ log: join(dir, `${what}.log`), readyMillis: READY_MILLIS },
    });
    cleanup.defer(() => started.end('SIGTERM'));
    return started.ready;
  };

  const { discovery } = await start<{ discovery: string }>('discovery', [
    ...[join(root, 'discovery-worker/selfhost/main.ts'), '--port', '0', '--relay-mode', mode],
    ...['--data-dir', join(dir, 'discovery')],
  ]);
  const behind = new URL(discovery).port;
  let url = discovery;
  const env: Record<string, string> = {};
  if (front === 'tls') {
    const [key, cert] = certificate(dir);
    const tls = join(root, 'bench/lib/tls.ts');
    url = `https://127.0.0.1:${(await start<{ port: number }>('tls', [tls, key, cert, behind])).port}`;
    env['NODE_EXTRA_CA_CERTS'] = cert;
  } else if (front) {
    const delay = [join(root, 'bench/lib/delay.ts'), String(front.delayMillis), behind];
    url = `http://127.0.0.1:${(await start<{ port: number }>('delay', delay)).port}`;
  }
  const program = join(root, 'test/guest/provider.ts');
  const provider = [program, String(port), url, join(dir, 'provider'), 'sshd'];
  await start('provider', provider, { ...process.env, ...env });

  const home = join(dir, 'golem');
  if (options.windowKib !== undefined) env['GOLEM_RELAY_WINDOW'] = String(options.windowKib);
  const golem = golemFor({ ...env, GOLEM_DISCOVERY: url }, home, [], options.program);
  const spec = ['--cpu', '1', '--memory', '256M', '--storage', '1'];
  const created = await golem('vm', 'create', name, ...spec, '-o', 'json');
  if (created.status !== 0) throw new Error(`no VM: ${created.stderr}`);
  const { stdout } = await golem('vm', 'ssh-config', name);
  const certs = env['NODE_EXTRA_CA_CERTS'];
  const words = Object.entries({ ...env, GOLEM_DISCOVERY: url, GOLEM_HOME: home });
  const path = `PATH=${await sshAsMyself(dir)}:$PATH`;
  const assignments = words.map(([variable, value]) => `${variable}=${value}`).join(' ');
  const kept = cleanup.move();
  return {
    host: stdout
      .replace(/^ {2}User .*$/m, `  User ${userInfo().username}`)
      .replace(
        'ProxyCommand env',
        `ProxyCommand env${certs ? ` NODE_EXTRA_CA_CERTS=${certs}` : ''}`,
      ),
    enter: `${path} ${assignments} ${process.execPath} ${options.program} vm ssh ${name} --`,
    guest: join(dir, 'provider/guests/sshd'),
    key: /IdentityFile (.*)/.exec(stdout)?.[1] ?? '',
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/**
 * The guest is this machine, on which there is no such user as in a guest.
 * @returns a folder with an `ssh` that comes as somebody who is there
 */
async function sshAsMyself(dir: string): Promise<string> {
  const folder = join(dir, 'bin');
  await mkdir(folder, { recursive: true });
  const script = `#!/bin/sh\nexec /usr/bin/ssh -o User=${userInfo().username} "$@"\n`;
  await writeFile(join(folder, 'ssh'), script, { mode: 0o755 });
  return folder;
}

/** For 127.0.0.1, trusted by whoever is given it. @returns paths of the key and the certificate */
function certificate(dir: string): [key: string, cert: string] {
  const [key, cert] = [join(dir, 'tls.key'), join(dir, 'tls.crt')];
  const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const args = ['req', ...kind, '-keyout', key, '-out', cert, '-days', '2', ...names];
  execFileSync('openssl', args, { stdio: 'pipe' });
  return [key, cert];
}
