/** The world of a command, of which no more is loaded than it needs. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Command, Context, Input, LocalContext } from '../commands/command.ts';
import { SELF } from '../self.ts';
import type { Home } from '../state/home.ts';
import type { Terminal } from './terminal.ts';

export async function localContext(
  command: Pick<Command, 'repairs'>,
  input: Input,
  { terminal, signal, trace }: ContextOptions,
): Promise<LocalContext> {
  const [home, { VmBook }, { ownSshKeyFile }, { isMoving }] = await Promise.all([
    homeFor(command, input),
    import('../state/book.ts'),
    import('../state/ssh-key-file.ts'),
    import('../state/moving.ts'),
  ]);
  const { paths, env, discovery } = home;
  const { note } = terminal;
  return {
    book: new VmBook(paths.vms, {
      ...{ ownKey: ownSshKeyFile(paths), discovery, isMoving: isMoving(paths) },
      onDamage: ({ message, hint = '' }) => note(`golem: ${message} ${hint}`),
    }),
    ...{ paths, home, env, signal },
    now: Date.now,
    ...terminal,
    streams: { input: process.stdin, output: process.stdout, error: process.stderr },
    self: SELF,
    openClient: () => openClient(home, terminal, trace),
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

async function homeFor({ repairs = false }: Pick<Command, 'repairs'>, input: Input): Promise<Home> {
  const { openHome, standardHome } = await import('../state/home.ts');
  const { env } = process;
  try {
    return openHome(env, input.options['context']?.at(-1));
  } catch (error) {
    if (!repairs || !(error instanceof GolemError)) throw error;
    return standardHome(env, error);
  }
}

async function openClient(
  { discovery, paths }: Home,
  { note }: Terminal,
  trace: ContextOptions['trace'],
): Promise<Context['client']> {
  const [{ GolemClient }, { loadIdentity }] = await Promise.all([
    import('../sdk/client.ts'),
    import('../state/identity.ts'),
  ]);
  let identity: ReturnType<typeof loadIdentity> | undefined;
  return new GolemClient({
    discovery,
    identity: () => (identity ??= loadIdentity(paths.key)),
    onWait: (reason, seconds) => note(`golem: ${reason} Trying again in ${seconds} s.`),
    ...(trace
      ? {
          onAnswer: ({ method, path, status, requestId = 'unnamed', millis }) =>
            trace(`golem: ${method} ${path} ${status} ${requestId} ${millis} ms`),
        }
      : {}),
  });
}
