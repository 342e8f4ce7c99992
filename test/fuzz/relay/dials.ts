/** Attempts to join sessions: one's own in the wrong order, and other people's. */
import * as fc from 'fast-check';
import { paths } from '../../../shared/src/api.ts';
import { generateIdentity, type Identity } from '../../../shared/src/keys.ts';
import { encodeFrame } from '../../../shared/src/stream/frame.ts';
import { attack, Violation, type Attack } from '../attack.ts';
import type { Arena, Pair } from '../arena.ts';
import { dial, type Dialled, type Peer } from '../peer.ts';

const hexadecimal = fc.stringMatching(/^[0-9a-f]{64}$/);

/**
 * What may become of a leg that is dialled beside others. In coupled mode a leg that is parted may
 * be gone before its answer has left.
 */
const BESIDE: ReadonlySet<string> = new Set([
  '409 stale_epoch',
  '409 wrong_state',
  '404 session_not_found',
  '503 link_lost',
  'cut',
]);

const partiesOf = ({ options }: Arena, { provider }: Pair) =>
  ({ agent: provider.identity, requestor: options.tenant.identity }) as const;
const party = fc.constantFrom('agent', 'requestor');

const answerOf = (dialled: Dialled) => (dialled.peer ? 'open' : dialled.refused);

/** How often both come again: legs of before may still be parted while new ones come. */
const ROUNDS = 8;
const RESUME = encodeFrame({ kind: 'resume', offset: 0, epoch: 1 });

/**
 * Whatever was done to a session before: two parties meet who come again when they are parted.
 * @throws {Violation}
 */
async function meets(arena: Arena, pair: Pair): Promise<void> {
  const comes = async (identity: Identity): Promise<Peer> => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const dialled = await arena.dial(identity, paths.relay(pair.session));
      const { peer } = dialled;
      // It was admitted and parted before it was answered: retryable, and so a party does.
      if (['409 stale_epoch', '503 link_lost', 'cut'].includes(answerOf(dialled))) continue;
      if (!peer) throw new Violation(`not taken up again: ${answerOf(dialled)}`);
      peer.send(RESUME);
      const heard = await peer.find((message) =>
        typeof message === 'string' ? undefined : message,
      );
      if (heard && Buffer.compare(heard, RESUME) === 0) return peer;
    }
    throw new Violation(`a party was parted ${ROUNDS} times`);
  };
  const legs = await Promise.all(Object.values(partiesOf(arena, pair)).map(comes));
  for (const leg of legs) leg.cut();
}

export const relayDials: readonly Attack[] = [
  attack(
    'relay',
    'strangers at the honest session',
    fc.record({ kind: fc.constantFrom('provider', 'requestor'), isTenant: fc.boolean() }),
    async (arena, { kind, isTenant }) => {
      const { honest, tenant } = arena.options;
      const identity = isTenant ? tenant.identity : await generateIdentity(kind);
      const dialled = await arena.dial(identity, paths.relay(honest.session));
      if (answerOf(dialled) !== '403 forbidden')
        throw new Violation(`a stranger got ${answerOf(dialled)}`);
      return [answerOf(dialled)];
    },
  ),
  attack(
    'relay',
    'sessions that are made up',
    fc.oneof(
      hexadecimal,
      fc.webPath().map((path) => path.slice(1) || 'x'),
    ),
    async (arena, session) => {
      const dialled = await arena.dial(arena.options.tenant.identity, paths.relay(session));
      if (dialled.peer) throw new Violation('a session that is not there was joined');
      return [answerOf(dialled)];
    },
  ),
  attack(
    'relay',
    'sessions with what is not there',
    fc.record({ isProvider: fc.boolean(), name: fc.stringMatching(/^[a-zA-Z0-9_%.-]{1,60}$/) }),
    async (arena, { isProvider, name }) => {
      const provider = isProvider
        ? (await generateIdentity('provider')).id
        : arena.options.honest.provider;
      const request = { method: 'GET', path: paths.ssh(provider, name), epoch: arena.nextEpoch() };
      const dialled = await dial(await arena.sign(arena.options.tenant.identity, request));
      if (dialled.peer) throw new Violation('a VM that is not there was reached');
      return [answerOf(dialled)];
    },
  ),
  attack(
    'relay',
    'one dial twice at once',
    fc.record({ who: party, count: fc.integer({ min: 2, max: 8 }), isSame: fc.boolean() }),
    (arena, { who, count, isSame }) =>
      arena.withPair(async (pair) => {
        const identity = partiesOf(arena, pair)[who];
        const epoch = arena.nextEpoch();
        const request = { method: 'GET', path: paths.relay(pair.session), epoch };
        const first = await arena.sign(identity, request);
        const dialled = await Promise.all(
          Array.from({ length: count }, async () =>
            dial(isSame ? first : await arena.sign(identity, request)),
          ),
        );
        const answers = dialled.map(answerOf);
        for (const { peer } of dialled) peer?.cut();
        if (answers.filter((answer) => answer === 'open').length > 1) {
          throw new Violation(`one epoch was let in more than once: ${answers.join(', ')}`);
        }
        await meets(arena, pair);
        return answers;
      }),
  ),
  attack(
    'relay',
    'an older dial after a newer one',
    fc.record({ who: party, back: fc.integer({ min: 0, max: 1_000 }) }),
    (arena, { who, back }) =>
      arena.withPair(async (pair) => {
        const identity = partiesOf(arena, pair)[who];
        const epoch = arena.nextEpoch();
        const newer = await arena.dial(identity, paths.relay(pair.session), epoch);
        const older = await arena.dial(identity, paths.relay(pair.session), epoch - back);
        const answers = [answerOf(newer), answerOf(older)];
        if (answers.join() !== 'open,409 stale_epoch') throw new Violation(answers.join(', '));
        await meets(arena, pair);
        return answers;
      }),
  ),
  attack(
    'relay',
    'many joins at once',
    fc.array(fc.record({ who: party, step: fc.integer({ min: -2, max: 6 }) }), {
      minLength: 2,
      maxLength: 12,
    }),
    (arena, joins) =>
      arena.withPair(async (pair) => {
        const parties = partiesOf(arena, pair);
        const base = arena.nextEpoch();
        for (let n = 0; n < 6; n += 1) arena.nextEpoch();
        const dialled = await Promise.all(
          joins.map(({ who, step }) =>
            arena.dial(parties[who], paths.relay(pair.session), base + step),
          ),
        );
        const answers = dialled.map(answerOf);
        for (const answer of answers) {
          if (answer !== 'open' && !BESIDE.has(answer)) throw new Violation(answers.join(', '));
        }
        await meets(arena, pair);
        for (const { peer } of dialled) peer?.cut();
        return answers;
      }),
  ),
];
