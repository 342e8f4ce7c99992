/** `golem key rotate`: a new key, and all VMs for it. It may be stopped and gone on with at any time. */
import { EXIT, GolemError } from '@vm-on-golem/shared/errors';
import { generatePrivateJwk, openIdentity } from '@vm-on-golem/shared/keys';
import { loadKey } from '../../state/identity.ts';
import { keyUsers, rentedBy, type KeyUser, type Rented } from '../../state/key-users.ts';
import {
  beginRotation,
  markMoved,
  resumeRotation,
  type PendingProvider,
  type Rotation,
} from '../../state/rotation.ts';
import { ownSshKey } from '../../state/ssh-keys.ts';
import type { Input, LocalCommand, LocalContext } from '../command.ts';
import { agree } from '../work/agree.ts';
import { addToGuests, type Unchanged } from '../work/ssh-succession.ts';
import { succeed, type Waiting } from '../work/succession.ts';

interface Rotated {
  /** Id of the new key. */
  readonly requestor: string;
  readonly previous: string;
  /** Providers that gave it what the previous one had. */
  readonly moved: readonly string[];
  readonly waitingFor: readonly Waiting[];
  /** VMs that only the previous SSH key opens. */
  readonly withoutSshKey: readonly Unchanged[];
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
      value: 'PROVIDER',
      summary: 'wait for this one no more: what it has stays with the previous key',
      repeatable: true,
    },
  ],
  examples: ['golem key rotate', 'golem key rotate --give-up gp_...'],
  about: [
    'Both keys are kept until every provider has agreed. Providers that are offline are asked again by whatever you do next, and after some tries every few minutes.',
    'Contexts that have the key in common get the new one together, and VMs of all of them are moved.',
    'New VMs let in the SSH key of the new key. The old SSH key is kept, and still opens the VMs that were made with it; the new one is added to those that run. For others, or to shut the old one out, change ~/.ssh/authorized_keys in the VM: golem key show prints the new line.',
  ],

  async run(context, input) {
    const { paths, note } = context;
    const going = await resumeRotation(paths);
    const givenUp = (input.options['give-up'] ?? []).map((text) => pendingOf(going, text));
    const rotation = going ?? (await begin(context, input));
    const [previous, next] = await Promise.all([
      openIdentity('requestor', rotation.previous),
      openIdentity('requestor', rotation.next),
    ]);
    const asked = await succeed(context, rotation, { deadlineMillis: DEADLINE_MILLIS });
    const waitingFor = asked.waitingFor.filter(({ provider }) => !givenUp.includes(provider));
    const withoutSshKey = await addToGuests(
      context,
      rotation,
      (provider) => !asked.waitingFor.some((one) => one.provider === provider),
    );
    for (const { name, why } of withoutSshKey) {
      note(`golem: '${name}' lets in the previous SSH key only: ${why}`);
    }
    const found = {
      ...{ requestor: next.id, previous: previous.id, moved: asked.moved },
      withoutSshKey,
    };
    // Also when there was nobody to ask.
    const left = await markMoved(paths, givenUp);
    if (left.length === 0) {
      note(`The key is ${next.id} now. Back it up: golem key backup FILE`);
      note(`The previous one, ${previous.id}, is kept in ${paths.retired}.`);
      return { ...found, waitingFor: [] };
    }
    for (const { provider, why, isHearsay } of waitingFor) {
      const more = isHearsay ? ' That you have a VM there is only what discovery says.' : '';
      note(`golem: ${provider} still has to agree: ${why}${more}`);
    }
    note('golem: Both keys are kept, and it is asked again by what you do next.');
    note('golem: If it never comes back: golem key rotate --give-up PROVIDER');
    return { ...found, waitingFor };
  },
  interrupted: () => ({
    message: 'Stopped waiting. Both keys are kept, and the new one is in use.',
    hint: 'Go on: golem key rotate',
  }),
  exitCode: ({ waitingFor }) =>
    waitingFor.every(({ isHearsay }) => isHearsay) ? EXIT.ok : EXIT.unreachable,
  present: ({ requestor, previous, moved, waitingFor, withoutSshKey }) => ({
    facts: [
      ['key', requestor],
      ['before', previous],
      ...moved.map((provider) => ['moved', provider] as const),
      ...withoutSshKey.map(({ name, why }) => ['old ssh key', `${name}: ${why}`] as const),
      ...waitingFor.map(({ provider, why }) => ['waits for', `${provider}: ${why}`] as const),
    ],
    ids: [requestor],
    names: [requestor],
  }),
};

/** @throws {GolemError} when nobody says where VMs may be, or nobody agrees: then nothing is changed */
async function begin(context: LocalContext, input: Input): Promise<Rotation> {
  const { paths, home, now } = context;
  const previous = await loadKey(paths.key);
  // Made from the key where there is none yet: it has to be there before that changes.
  await ownSshKey(paths);
  const users = keyUsers(home);
  const rented = await rentedBy(users);
  const known = rented.map(({ provider, discovery }) => ({ provider, discovery }));
  const hints: PendingProvider[] = [];
  for (const discovery of servicesOf(users, rented)) {
    for (const provider of await hintedProviders(context, discovery)) {
      if (known.some((one) => one.provider === provider)) continue;
      hints.push({ provider, discovery, isHearsay: true });
    }
  }
  const { id } = await openIdentity('requestor', previous);
  const question = `Your VMs go over to a new key with another id than ${id}, which friends and backups know. Rotate it?`;
  await agree(context, input, question);
  const rotation: Rotation = {
    previous,
    next: await generatePrivateJwk(),
    pending: uniqueOf([...known, ...hints]),
    settled: [],
    startedAt: new Date(now()).toISOString(),
  };
  await beginRotation(paths, rotation);
  return rotation;
}

/** Services that may know of VMs: one that is only assumed, and was never used, is not among them. */
function servicesOf(users: readonly KeyUser[], rented: readonly Rented[]): Set<string> {
  const used = users.filter(
    ({ isChosen, discovery }) => isChosen || rented.some((one) => one.discovery === discovery),
  );
  return new Set(used.map(({ discovery }) => discovery));
}

function uniqueOf(pending: readonly PendingProvider[]): PendingProvider[] {
  const ways = new Map(pending.map((one) => [`${one.provider} ${one.discovery}`, one]));
  return [...ways.values()];
}

async function hintedProviders(
  { openClient, home, signal }: LocalContext,
  discovery: string,
): Promise<string[]> {
  const ids: string[] = [];
  try {
    const client = await openClient(undefined, discovery);
    for await (const id of client.myProviders({ signal })) ids.push(id);
  } catch (error) {
    if (!(error instanceof GolemError)) throw error;
    // A service that remembers nothing: what is remembered here is all there is.
    if (error.code === 'not_found') return ids;
    if (discovery === home.discovery || error.code === 'interrupted') throw error;
    throw new GolemError(
      error.code,
      `Another context has the same key, and ${discovery} does not say where its VMs are: ${error.message}`,
      { hint: 'If it is used no more: golem context remove NAME', cause: error },
    );
  }
  return ids;
}

/** @throws {GolemError} for what the rotation does not wait for */
function pendingOf(rotation: Rotation | undefined, text: string): string {
  if (!rotation) {
    throw new GolemError('wrong_state', 'No rotation goes on, so that nobody can be given up.', {
      hint: 'Begin one: golem key rotate',
    });
  }
  const ids = new Set(rotation.pending.map(({ provider }) => provider));
  const [id, ...others] = [...ids].filter((provider) => provider.startsWith(text));
  if (id !== undefined && others.length === 0) return id;
  throw new GolemError('not_found', `The rotation does not wait for one provider '${text}'.`, {
    hint: `It waits for ${[...ids].join(', ')}.`,
  });
}
