/** From a VM of the book to a login in it, for commands that need no OpenSSH. */
import { offeredKeys } from '../../guest/auth.ts';
import { openGuest, type Guest } from '../../guest/login.ts';
import { pinnedHostKey } from '../../openssh/known-hosts.ts';
import { ownSshKey } from '../../state/ssh-keys.ts';
import { readRelaySettings } from '../../tunnel/settings.ts';
import { openTunnel } from '../../tunnel/tunnel.ts';
import type { Context } from '../command.ts';
import type { ReadyEntry } from '../read/reference.ts';

/**
 * Ctrl-C ends what leads to the login. After that it is up to whoever works in it: a program is told of
 * it, and half a file is removed.
 * @param signal ends the login, and all that is done in it
 * @throws {GolemError} what the provider or the guest refused it with
 */
export async function enterGuest(
  context: Pick<Context, 'client' | 'paths' | 'env' | 'ask' | 'signal'>,
  { name, provider, vm, sshKey }: ReadyEntry,
  signal: AbortSignal,
): Promise<Guest> {
  const { client, paths, env, ask } = context;
  // Asked for first: nobody keeps a guest waiting while a passphrase is typed.
  const keys = await offeredKeys({
    file: sshKey ?? (await ownSshKey(paths)).file,
    // Set to nothing, it means that there is none.
    agent: env['SSH_AUTH_SOCK'] || undefined,
    ask: (question) => ask(question, true),
  });
  const hostKey = (await pinnedHostKey(paths, { provider, vm })) ?? vm.hostKey;
  const settings = readRelaySettings(env);
  const entering = new AbortController();
  const stop = () => entering.abort(context.signal.reason);
  if (context.signal.aborted) stop();
  context.signal.addEventListener('abort', stop);
  try {
    const either = AbortSignal.any([signal, entering.signal]);
    const stream = await openTunnel({ client, provider, vmId: vm.id, settings, signal: either });
    const host = { name, hostKey };
    return await openGuest({ stream, host, user: vm.user, keys, signal: either });
  } catch (error) {
    entering.signal.throwIfAborted();
    throw error;
  } finally {
    context.signal.removeEventListener('abort', stop);
  }
}
