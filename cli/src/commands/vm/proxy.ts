/** `golem vm proxy`: a port of a VM on standard input and output. Its SSH port for ssh's ProxyCommand. */
import { pipeline } from 'node:stream/promises';
import { EXIT, GolemError } from '@vm-on-golem/shared/errors';
import { runRelay } from '../../tunnel/relay.ts';
import { readRelaySettings } from '../../tunnel/settings.ts';
import type { Command, Context } from '../command.ts';
import { findReady, type ReadyEntry } from '../read/reference.ts';

/** The one port that leads out of a VM by itself. */
const SSH_PORT = 22;

export const proxy: Command<null> = {
  name: 'proxy',
  usage: 'NAME [PORT]',
  args: { min: 1, max: 2 },
  options: [],
  examples: [
    "ssh -o ProxyCommand='golem vm proxy web' root@web",
    "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | golem vm proxy web 80",
  ],

  async run(context, { args: [reference = '', portText = String(SSH_PORT)] }) {
    const port = readPort(portText);
    const entry = await findReady(context, reference);
    const { input } = context.streams;
    try {
      await (port === SSH_PORT ? relay(context, entry) : forward(context, entry, port));
    } catch (error) {
      // ssh hangs up on its proxy when it is done: that is an end like any other.
      if (!context.signal.aborted) throw error;
    } finally {
      input.destroy();
    }
    return null;
  },
  // To ssh and its users, whatever goes wrong here is a transport that failed.
  failureCode: EXIT.transport,
};

async function relay(
  { client, env, streams: { input, output }, signal }: Context,
  { provider, vm }: ReadyEntry,
): Promise<void> {
  const settings = readRelaySettings(env);
  await client.patiently({ signal }, async () => {
    const upgrade = await client.sshUpgrade(provider, vm.id);
    const again = (session: string) => client.resumeUpgrade(session);
    await runRelay({ upgrade, again, input, output, signal, settings });
  });
}

/** A connection that the VM makes to itself, inside a login: the relay carries SSH and nothing else. */
async function forward(context: Context, entry: ReadyEntry, port: number): Promise<void> {
  const { enterGuest } = await import('../work/enter.ts');
  const { input, output } = context.streams;
  const gone = new AbortController();
  await using session = new AsyncDisposableStack();
  session.defer(() => gone.abort());
  const signal = AbortSignal.any([context.signal, gone.signal]);
  const guest = session.use(await enterGuest(context, entry, signal));
  const channel = await guest.forward('localhost', port);
  // Its end is not the end of what comes back.
  const sent = pipeline(input, channel);
  sent.catch(() => channel.destroy());
  await pipeline(channel, output, { end: false });
}

function readPort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new GolemError('usage', `'${text}' is no port.`, {
    hint: 'It is a number from 1 to 65535.',
  });
}
