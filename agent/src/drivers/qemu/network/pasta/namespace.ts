/**
 * A network namespace of one guest, made without being root: two helpers live as long as it does.
 * `socat` holds it, and listens on a unix socket outside for what goes to the guest's SSH port inside.
 * `pasta` is its way out, by sockets of the agent's user. No process in it has any rights there, so
 * that whoever takes QEMU over cannot change the rules.
 */
import { spawn } from 'node:child_process';
import { chown, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DriverError } from '../../../driver.ts';
import { command, SYSTEM_PATH } from '../commands.ts';
import type { GuestUser } from '../network.ts';
import { loadRules } from '../nft/kernel.ts';
import { endProcesses, processesNaming } from './processes.ts';

/** Both helpers are there within 0.1 s; a machine that swaps takes longer. */
const START_MILLIS = 10_000;
/** The name of the way out, inside. */
const UPLINK = 'uplink';

/** A program without any rights, which never gets them again. */
const UNPRIVILEGED = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs', '--'];

export interface NamespaceOptions {
  /** Who holds it. Without one it is the agent's own user. */
  readonly user: GuestUser | undefined;
  /** Of its loopback interface: what comes by the socket outside goes there. */
  readonly sshPort: number;
  /** What nft loads before anything is connected. */
  readonly rules: string;
}

export function namespaceSocket(dir: string): string {
  return join(dir, 'ssh.sock');
}

/**
 * @param dir a folder of its own, absolute: the helpers are found again by it
 * @returns the id of a process in the namespace
 * @throws {DriverError} `unavailable` | `aborted`; nothing is left then
 */
export async function openNamespace(
  dir: string,
  options: NamespaceOptions,
  signal: AbortSignal,
): Promise<number> {
  await closeNamespace(dir);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  try {
    if (options.user) await chown(dir, options.user.uid, options.user.gid);
    const holder = await hold(dir, options, signal);
    const { rules, user } = options;
    await loadRules(rules, { entering: entering(holder), user });
    await command([...entering(holder), 'ip', 'link', 'set', 'lo', 'up'], { user });
    await connect(dir, holder, user, signal);
    return holder;
  } catch (error) {
    await closeNamespace(dir);
    throw error;
  }
}

/** Starts of a command that is to run in the namespace as its root. */
export function entering(holder: number): string[] {
  return ['nsenter', '-t', String(holder), '-U', '-n', '--preserve-credentials', '--'];
}

/** As `entering`, without rights there. */
export function enteringUnprivileged(holder: number): string[] {
  return [...entering(holder), ...UNPRIVILEGED];
}

/** Ends the helpers, and removes the folder. A namespace that is not there is a success. */
export async function closeNamespace(dir: string): Promise<void> {
  const uid = await ownerOf(dir);
  if (uid === undefined) return;
  await endProcesses(() => processesNaming(`${dir}/`, uid));
  await rm(dir, { recursive: true, force: true });
}

/** @returns the id of a process in the namespace; undefined when it is not there */
export async function findHolder(dir: string): Promise<number | undefined> {
  const uid = await ownerOf(dir);
  if (uid === undefined) return undefined;
  const relays = (await processesNaming(`${dir}/`, uid)).filter(
    ({ words }) => words[0] === 'socat',
  );
  // Those that it forked end with their connections.
  const pids = new Set(relays.map(({ pid }) => pid));
  return relays.find(({ parent }) => !pids.has(parent))?.pid;
}

/** Starts `pasta` again where it has ended. */
export async function keepConnected(dir: string, holder: number): Promise<void> {
  const owner = await stat(dir);
  const found = await processesNaming(`${dir}/`, owner.uid);
  if (found.some(({ words }) => words[0]?.startsWith('pasta'))) return;
  const user = owner.uid === process.getuid?.() ? undefined : { uid: owner.uid, gid: owner.gid };
  await connect(dir, holder, user, AbortSignal.timeout(START_MILLIS));
}

async function hold(
  dir: string,
  { user, sshPort }: NamespaceOptions,
  signal: AbortSignal,
): Promise<number> {
  const relay = [
    ...['socat', '-lf', join(dir, 'relay.log')],
    `UNIX-LISTEN:${escaped(namespaceSocket(dir))},fork,mode=600`,
    `TCP4:127.0.0.1:${sshPort},nodelay`,
  ];
  const words = ['unshare', '--user', '--map-root-user', '--net', '--', ...UNPRIVILEGED, ...relay];
  return helper(dir, words, user, signal, async () =>
    stat(namespaceSocket(dir)).then(
      () => true,
      () => false,
    ),
  );
}

/** IPv4 alone, nothing forwarded inwards, and no address that stands for the host. */
async function connect(
  dir: string,
  holder: number,
  user: GuestUser | undefined,
  signal: AbortSignal,
): Promise<void> {
  const closed = ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none', '--no-map-gw'];
  const words = [
    ...['pasta', '--foreground', '--quiet', '--ipv4-only', '--config-net', '-I', UPLINK, ...closed],
    ...['-P', join(dir, 'pasta.pid'), '-l', join(dir, 'pasta.log'), String(holder)],
  ];
  await helper(dir, words, user, signal, async () => {
    const routes = await readFile(`/proc/${holder}/net/route`, 'utf8');
    return new RegExp(`^${UPLINK}\\s+00000000\\s`, 'm').test(routes);
  });
}

/** Starts a program that stays, and resolves with its id when it is ready. */
async function helper(
  dir: string,
  [program = '', ...args]: readonly string[],
  user: GuestUser | undefined,
  signal: AbortSignal,
  isReady: () => Promise<boolean>,
): Promise<number> {
  const path = join(dir, `${program}.out`);
  await using log = await open(path, 'w', 0o600);
  const child = spawn(program, args, {
    cwd: dir,
    detached: true,
    env: { PATH: SYSTEM_PATH, LC_ALL: 'C' },
    stdio: ['ignore', log.fd, log.fd],
    ...user,
  });
  let end: string | undefined;
  child.once('error', (error) => (end = error.message));
  child.once('exit', (code, killer) => (end = `it ended with ${String(killer ?? code)}`));
  child.unref();
  for (const start = performance.now(); !(await isReady()); await sleep(10)) {
    if (signal.aborted) throw new DriverError('aborted', 'The start was stopped.');
    if (end === undefined && performance.now() - start < START_MILLIS) continue;
    const said = (await readFile(path, 'utf8')).trim().split('\n').at(-1);
    const why = said || (end ?? 'it took too long');
    throw new DriverError('unavailable', `${program} did not connect the guest: ${why}`);
  }
  if (child.pid === undefined) throw new DriverError('unavailable', `${program} did not start.`);
  return child.pid;
}

async function ownerOf(dir: string): Promise<number | undefined> {
  return stat(dir).then(
    ({ uid }) => uid,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    },
  );
}

/** In an address of socat these end a part of it. */
function escaped(path: string): string {
  return path.replaceAll(/[\\:,!"'(){}[\]]/g, (character) => `\\${character}`);
}
