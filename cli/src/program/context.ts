/** The world of a command, of which no more is loaded than it needs. */
import type { Context, Input, LocalContext } from '../commands/command.ts';
import { SELF } from '../self.ts';
import type { Terminal } from './terminal.ts';

const DEFAULT_DISCOVERY = 'http://127.0.0.1:8787';

export async function localContext(
  input: Input,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<LocalContext> {
  const [{ pathsFrom }, { VmBook }] = await Promise.all([
    import('../state/paths.ts'),
    import('../state/book.ts'),
  ]);
  const { env } = process;
  const paths = pathsFrom(env);
  return {
    book: new VmBook(paths.vms),
    paths,
    env,
    signal,
    now: Date.now,
    ...terminal,
    streams: { input: process.stdin, output: process.stdout, error: process.stderr },
    self: SELF,
    chosenContext: input.options['context']?.at(-1) ?? env['GOLEM_CONTEXT'],
  };
}

/** @param trace shows every request, for `--debug` */
export async function withClient(
  local: LocalContext,
  trace: ((line: string) => void) | undefined,
): Promise<Context> {
  const [{ GolemClient }, { loadIdentity }] = await Promise.all([
    import('../sdk/client.ts'),
    import('../state/identity.ts'),
  ]);
  const { env, paths, note } = local;
  let identity: ReturnType<typeof loadIdentity> | undefined;
  const client = new GolemClient({
    discovery: env['GOLEM_DISCOVERY'] ?? DEFAULT_DISCOVERY,
    identity: () => (identity ??= loadIdentity(paths.key)),
    onWait: (reason, seconds) => note(`golem: ${reason} Trying again in ${seconds} s.`),
    ...(trace
      ? {
          onAnswer: ({ method, path, status, requestId = 'unnamed', millis }) =>
            trace(`golem: ${method} ${path} ${status} ${requestId} ${millis} ms`),
        }
      : {}),
  });
  return { ...local, client };
}
