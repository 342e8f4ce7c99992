/** Upgrades of the control socket that are valid one by one, and not beside each other. */
import * as fc from 'fast-check';
import { paths } from '../../../shared/src/api.ts';
import { CONTROL_PROTOCOL } from '../../../shared/src/control.ts';
import { generateIdentity } from '../../../shared/src/keys.ts';
import { attack, Violation, type Attack } from '../attack.ts';
import { dial } from '../peer.ts';

const token = fc.stringMatching(/^[a-z0-9.]{1,20}$/);

/** More than the burst that the network of a run allows one key. */
const FLOOD_UPGRADES = 120;

export const controlUpgrades: readonly Attack[] = [
  attack(
    'control',
    'wrong subprotocol',
    fc.uniqueArray(
      token.filter((name) => name !== CONTROL_PROTOCOL),
      { maxLength: 4 },
    ),
    async (arena, protocols) => {
      const identity = await generateIdentity('provider');
      const request = { method: 'GET', path: paths.agent, epoch: arena.nextEpoch() };
      const { peer, ...rest } = await dial({ ...(await arena.sign(identity, request)), protocols });
      if (peer) throw new Violation('a wrong subprotocol was let in');
      return Object.values(rest);
    },
  ),
  attack(
    'control',
    'epochs that are not newer',
    fc.array(fc.integer({ min: -3, max: 1 }), { minLength: 1, maxLength: 6 }),
    (arena, steps) =>
      arena.withProvider(async (provider) => {
        const answers = [];
        let newest = arena.nextEpoch();
        let newestPeer = await provider.connect(newest);
        for (const step of steps) {
          const epoch = newest + step;
          const { peer, ...rest } = await arena.dial(provider.identity, paths.agent, epoch);
          if ((peer !== undefined) !== step > 0)
            throw new Violation(`an epoch ${step} above the newest: ${peer ? 'open' : 'refused'}`);
          answers.push(...Object.values(rest));
          if (!peer) continue;
          answers.push('open', await newestPeer.closed());
          newest = epoch;
          newestPeer = peer;
          arena.nextEpoch();
        }
        answers.push(await newestPeer.openOrClosed());
        newestPeer.cut();
        return answers;
      }),
  ),
  attack(
    'control',
    'one upgrade many times at once',
    fc.record({ count: fc.integer({ min: 2, max: 12 }), isSame: fc.boolean() }),
    (arena, { count, isSame }) =>
      arena.withProvider(async ({ identity }) => {
        const epoch = arena.nextEpoch();
        const sign = () => arena.sign(identity, { method: 'GET', path: paths.agent, epoch });
        const first = await sign();
        const dialled = await Promise.all(
          Array.from({ length: count }, async () =>
            dial({ ...(isSame ? first : await sign()), protocols: [CONTROL_PROTOCOL] }),
          ),
        );
        const open = dialled.flatMap(({ peer }) => (peer ? [peer] : []));
        for (const peer of open) peer.cut();
        if (open.length !== 1) throw new Violation(`${open.length} of one epoch were let in`);
        return dialled.map((one) => (one.peer ? 'open' : one.refused));
      }),
  ),
  attack(
    'control',
    'flood of upgrades',
    fc.constant({ count: FLOOD_UPGRADES }),
    async (arena, { count }) => {
      const identity = await generateIdentity('provider');
      const request = { method: 'GET', path: paths.agent, epoch: arena.nextEpoch() };
      const upgrade = { ...(await arena.sign(identity, request)), protocols: [CONTROL_PROTOCOL] };
      const dialled = await Promise.all(Array.from({ length: count }, () => dial(upgrade)));
      for (const { peer } of dialled) peer?.cut();
      return dialled.map((one) => (one.peer ? 'open' : one.refused));
    },
    1,
  ),
];
