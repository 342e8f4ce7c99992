/** `golem key rotate`: a new key, and all VMs for it. It may be stopped and gone on with at any time. */
import { EXIT, GolemError } from '@vm-on-golem/shared/errors';
import { generatePrivateJwk, openIdentity } from '@vm-on-golem/shared/keys';
import { loadKey } from '../../state/identity.ts';
import { beginRotation, markMoved, resumeRotation, type Rotation } from '../../state/rotation.ts';
import { ownSshKey } from '../../state/ssh-keys.ts';
import { isSet, type LocalCommand, type LocalContext } from '../command.ts';
import { succeed, type Waiting } from '../work/succession.ts';

interface Rotated {
  /** Id of the new key. */
  readonly requestor: string;
  readonly previous: string;
  /** Providers that gave it what the previous one had. */
  readonly moved: readonly string[];
  readonly waitingFor: readonly Waiting[];
}

/** Long enough for a provider that is only just coming back. */
const DEADLINE_MILLIS = 30_000;

export const rotate: LocalCommand<Rotated> = {
  name: 'rotate',
  isLocal: true,
  usage: '',
  args: { min: 0, max: 0 },
  options: [
    {
      name: 'give-up',
      summary: 'wait for no more providers: what they have stays with the previous key',
    },
  ],
  examples: ['golem key rotate', 'golem key rotate --give-up'],
  about: [
    'Both keys are kept until every provider has agreed. Providers that are offline are asked again by whatever you do next.',
    'The SSH key stays: whoever has the old one still gets into VMs that were made with it, as far as they know the way.',
  ],

  async run(context, input) {
    const { paths, note } = context;
    const rotation = (await resumeRotation(paths)) ?? (await begin(context));
    const [previous, next] = await Promise.all([
      openIdentity('requestor', rotation.previous),
      openIdentity('requestor', rotation.next),
    ]);
    const { moved, waitingFor } = await succeed(context, rotation, DEADLINE_MILLIS);
    const found = { requestor: next.id, previous: previous.id, moved };
    if (waitingFor.length === 0 || isSet(input, 'give-up')) {
      await markMoved(paths, rotation.pending);
      note(`The key is ${next.id} now. Back it up: golem key backup FILE`);
      note(`The previous one, ${previous.id}, is kept in ${paths.retired}.`);
      return { ...found, waitingFor: [] };
    }
    for (const { provider, why } of waitingFor)
      note(`golem: ${provider} still has to agree: ${why}`);
    note('golem: It is asked again by whatever you do next. Both keys are kept until then.');
    return { ...found, waitingFor };
  },
  interrupted: () => ({
    message: 'Stopped waiting. Both keys are kept, and the new one is in use.',
    hint: 'Go on: golem key rotate',
  }),
  exitCode: ({ waitingFor }) => (waitingFor.length === 0 ? EXIT.ok : EXIT.unreachable),
  present: ({ requestor, previous, moved, waitingFor }) => ({
    facts: [
      ['key', requestor],
      ['before', previous],
      ...moved.map((provider) => ['moved', provider] as const),
      ...waitingFor.map(({ provider, why }) => ['waits for', `${provider}: ${why}`] as const),
    ],
    ids: [requestor],
    names: [requestor],
  }),
};

/** @throws {GolemError} when nobody says where VMs may be: then nothing is changed */
async function begin(context: LocalContext): Promise<Rotation> {
  const { paths, book, now } = context;
  const previous = await loadKey(paths.key);
  // Made from the key where there is none yet: it has to be there before that changes.
  await ownSshKey(paths);
  const hinted = await hintedProviders(context);
  const known = (await book.all()).map(({ provider }) => provider);
  const rotation: Rotation = {
    previous,
    next: await generatePrivateJwk(),
    pending: [...new Set([...known, ...hinted])],
    startedAt: new Date(now()).toISOString(),
  };
  await beginRotation(paths, rotation);
  return rotation;
}

async function hintedProviders({ openClient, signal }: LocalContext): Promise<string[]> {
  const client = await openClient();
  const ids: string[] = [];
  try {
    for await (const id of client.myProviders({ signal })) ids.push(id);
  } catch (error) {
    // A service that remembers nothing: what is remembered here is all there is.
    if (!(error instanceof GolemError) || error.code !== 'not_found') throw error;
  }
  return ids;
}
