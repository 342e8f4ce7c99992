/** What guests reach and what they must not, seen from inside one. */
import { mkdir } from 'node:fs/promises';
import { GolemError } from '@vm-on-golem/shared/errors';
import { pino } from 'pino';
import { LiveConfig } from '../config/live.ts';
import { ControlClient } from '../control/client.ts';
import type { ProbeView } from '../control/schemas.ts';
import { DriverError } from '../drivers/driver.ts';
import { openImages } from '../guest-images.ts';
import { GuestNetworks } from '../guest-network.ts';
import { openDriver } from '../hypervisor.ts';
import { table } from '../presenters/table.ts';
import { findNetwork } from './isolation.ts';
import { configured, failure, ok, skipped, type ConfiguredCheckup, type Finding } from './check.ts';

export const selfTest = configured('self-test', async (checkup) => {
  const { loaded, quick, status } = checkup;
  const { driver, network } = loaded.config;
  if (driver !== 'qemu') return skipped(`the ${driver} driver has a network of its own`);
  if ((status?.isolation ?? network) === 'restricted') return skipped('guests have no network');
  if (quick) return skipped('no guest was booted to see what guests reach');
  if (!status && network !== 'restricted' && 'problems' in (await findNetwork(network))) {
    return skipped('no guest can be isolated yet, so none is booted');
  }
  return judgeProbe(await probe(checkup));
});

/** Pure. */
export function judgeProbe({ rows, passed }: ProbeView): Finding {
  if (passed) {
    const closed = rows.filter(({ expected }) => expected === 'closed').length;
    return ok(`a guest reached the Internet, and none of ${closed} places that it must not`);
  }
  const wrong = rows.filter(({ expected, seen }) => expected !== seen);
  const leaks = wrong.some(({ seen }) => seen === 'open');
  return {
    ...failure(
      leaks ? 'a guest reached what it must not' : 'a guest did not reach what it must',
      leaks
        ? 'see what else changes the rules of nftables here, and start the agent again'
        : 'see whether another firewall of this machine drops what guests send',
    ),
    details: table(
      ['DESTINATION', 'WHAT', 'EXPECTED', 'SEEN'],
      wrong.map(({ destination, what, expected, seen }) => [destination, what, expected, seen]),
    ),
  };
}

/** The agent that runs does it, as it knows its own networks. */
async function probe({ loaded, status, signal }: ConfiguredCheckup): Promise<ProbeView> {
  const { config } = loaded;
  if (status) return new ControlClient(config['data-dir']).probe();
  await mkdir(config['data-dir'], { recursive: true, mode: 0o700 });
  const log = pino({ level: 'silent' });
  const guests = await GuestNetworks.open(config, { cap: () => undefined, log }).catch(explain);
  await using driver = await openDriver(config, guests.network);
  const live = new LiveConfig(() => loaded);
  const { images } = await openImages(live, await driver.facts());
  const { rows, passed } = await guests
    .probe(
      { images, openDriver: (network, stateDir) => openDriver(config, network, stateDir) },
      signal,
    )
    .catch(explain);
  return { rows: [...rows], passed };
}

/** What a driver says is meant for the operator. */
function explain(cause: unknown): never {
  if (!(cause instanceof DriverError)) throw cause;
  throw new GolemError('unsupported', cause.message, {
    cause,
    hint: 'run as root on Linux with nftables, or install passt; see golem-provider logs',
  });
}
