/** The world of a command, of which no more is loaded than it needs. */
import { existsSync } from 'node:fs';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Identity } from '@vm-on-golem/shared/keys';
import type { Command, Context, Input, LocalContext } from '../commands/command.ts';
import { SELF } from '../self.ts';
import { VmBook } from '../state/book.ts';
import { openHome, standardHome, type Home } from '../state/home.ts';
import { isMoving, isReplaced } from '../state/moving.ts';
import { ownSshKeyFile } from '../state/ssh-key-file.ts';
import { streams } from './streams.ts';
import type { Terminal } from './terminal.ts';

/** What a provider that is there again may take to give VMs to a new key, before what was asked for. */
const MOVING_MILLIS = 2_000;

export function localContext(
  command: Pick<Command, 'repairs'>,
  input: Input,
  options: ContextOptions,
): LocalContext {
  const { terminal, signal } = options;
  const home = homeFor(command, input);
  const { paths, env, discovery } = home;
  const { note } = terminal;
  let used: string | undefined;
  const onUse = (publicKey: string) => {
    used ??= publicKey;
  };
  return {
    book: new VmBook(paths.vms, {
      ...{ ownKey: ownSshKeyFile(paths), discovery, isMoving: isMoving(paths) },
      isReplaced: isReplaced(paths, () => used),
      onDamage: ({ message, hint = '' }) => note(`golem: ${message} ${hint}`),
    }),
    ...{ paths, home, env, signal },
    now: Date.now,
    ...terminal,
    streams,
    self: SELF,
    openClient: (identity, at = discovery) =>
      identity
        ? openClient(at, options, identity)
        : openOwnClient(home, options, { discovery: at, onUse }),
  };
}

export interface ContextOptions {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Shows every request, for `--debug`. */
  readonly trace: ((line: string) => void) | undefined;
}

export async function withClient(local: LocalContext): Promise<Context> {
  return { ...local, client: await local.openClient() };
}

function homeFor({ repairs = false }: Pick<Command, 'repairs'>, input: Input): Home {
  const { env } = process;
  try {
    return openHome(env, input.options['context']?.at(-1));
  } catch (error) {
    if (!repairs || !(error instanceof GolemError)) throw error;
    return standardHome(env, error);
  }
}

async function openClient(
  discovery: string,
  { terminal: { note }, trace }: ContextOptions,
  identity: () => Promise<Identity>,
): Promise<Context['client']> {
  const { GolemClient } = await import('../sdk/client.ts');
  return new GolemClient({
    ...{ discovery, identity },
    onWait: (reason, seconds) => note(`golem: ${reason} Trying again in ${seconds} s.`),
    ...(trace
      ? {
          onAnswer: ({ method, path, status, requestId = 'unnamed', millis }) =>
            trace(`golem: ${method} ${path} ${status} ${requestId} ${millis} ms`),
        }
      : {}),
  });
}

/** The key of the context, read once; before that, VMs that still have to go to it are asked for. */
async function openOwnClient(
  home: Home,
  options: ContextOptions,
  { discovery, onUse }: { readonly discovery: string; readonly onUse: (publicKey: string) => void },
): Promise<Context['client']> {
  const { paths } = home;
  await goOnMoving(home, options);
  let identity: Promise<Identity> | undefined;
  const load = async () => {
    const { loadIdentity } = await import('../state/identity.ts');
    const loaded = await loadIdentity(paths.key);
    onUse(loaded.publicKey);
    return loaded;
  };
  return openClient(discovery, options, () => (identity ??= load()));
}

async function goOnMoving(home: Home, options: ContextOptions): Promise<void> {
  const { paths } = home;
  if (!existsSync(paths.rotation)) return;
  const [{ resumeRotation }, { succeed }] = await Promise.all([
    import('../state/rotation.ts'),
    import('../commands/work/succession.ts'),
  ]);
  const rotation = await resumeRotation(paths);
  if (!rotation) return;
  const { moved } = await succeed(
    {
      ...{ home, paths, signal: options.signal, now: Date.now },
      openClient: (identity, discovery) => openClient(discovery, options, identity),
    },
    rotation,
    { deadlineMillis: MOVING_MILLIS, isByTheWay: true },
  );
  const { note } = options.terminal;
  for (const provider of moved) note(`golem: ${provider} has given your VMs to the new key.`);
  if (moved.length > 0) {
    note('golem: They still let in the SSH key that they know; golem key show prints the new one.');
  }
}
