/** `golem vm forward`: ports of this machine that lead to ports in a VM, or beyond it, until Ctrl-C. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { listen } from '../../guest/forward/listen.ts';
import { addressText, readForward } from '../../guest/forward/spec.ts';
import { Standby } from '../../guest/forward/standby.ts';
import type { View } from '../../presenters/view.ts';
import type { Command, Context, Input } from '../command.ts';
import { findReady } from '../read/reference.ts';
import { enterGuest } from '../work/enter.ts';

interface Forwarding {
  /** Where this machine listens. */
  readonly address: string;
  readonly port: number;
  /** Where that leads, as the VM sees it. */
  readonly host: string;
  readonly hostPort: number;
}

export const forward: Command<readonly Forwarding[]> = {
  name: 'forward',
  usage: 'NAME [PORTS...]',
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  options: [
    {
      name: 'local',
      short: 'L',
      value: '[BIND:]PORT:HOST:PORT',
      summary: 'as with ssh',
      repeatable: true,
    },
  ],
  examples: [
    'golem vm forward web 8080:80',
    'golem vm forward web -L 5432:db.internal:5432 -L 0.0.0.0:8080:localhost:80',
    'golem vm forward web 0:22 -o json',
  ],
  live: 'append',

  // Says where it listens at once, and goes on until somebody stops it.
  follow: (context, input) => forwarding(context, input),
  run: () => {
    throw new TypeError('it is followed');
  },
  present: viewOf,
};

async function* forwarding(context: Context, input: Input): AsyncGenerator<readonly Forwarding[]> {
  const { note, signal } = context;
  const [reference = '', ...words] = input.args;
  const specs = [...words, ...(input.options['local'] ?? [])].map(readForward);
  if (specs.length === 0) {
    throw new GolemError('usage', 'Which ports?', {
      hint: `For example: golem vm forward ${reference} 8080:80`,
    });
  }
  const entry = await findReady(context, reference);
  await using resources = new AsyncDisposableStack();
  const gone = new AbortController();
  resources.defer(() => gone.abort());
  const standby = resources.use(
    new Standby(
      () => enterGuest(context, entry, gone.signal),
      (why) =>
        note(
          `The connection to '${entry.name}' was lost; the next one makes it anew. ${why?.message ?? ''}`,
        ),
    ),
  );
  // What is wrong with the VM or the key is told now, and not to the first who connects.
  await standby.guest();
  const failed = (error: unknown) => {
    if (!(error instanceof GolemError)) throw error;
    note(`A connection was refused: ${error.message}`);
  };
  const listening: Forwarding[] = [];
  for (const spec of specs) {
    const { bind, port } = resources.use(
      await listen(spec, (host, hostPort) => standby.forward(host, hostPort), failed),
    );
    listening.push({ address: bind, port, host: spec.host, hostPort: spec.hostPort });
  }
  yield listening;
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function viewOf(forwardings: readonly Forwarding[]): View {
  return {
    lines: forwardings.map(
      ({ address, port, host, hostPort }) =>
        `${addressText(address, port)} -> ${addressText(host, hostPort)}`,
    ),
  };
}
