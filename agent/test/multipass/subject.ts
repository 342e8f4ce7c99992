/** The Multipass driver over its stand-in, as the conformance suite takes it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DriverUnderTest } from '../../src/drivers/conformance/bench.ts';
import type { Driver, GuestImage } from '../../src/drivers/driver.ts';
import { createMultipassDriver } from '../../src/drivers/multipass/driver.ts';
import { StandIn } from '../../../test/multipass/standin.ts';
import type { Faults, Version } from '../../../test/multipass/wire.ts';

/** Without root port 22 is not to be had. */
export const SSH_PORT = process.getuid?.() === 0 ? 22 : 2222;

export interface SubjectOptions {
  readonly version: Version;
  readonly image: () => Promise<GuestImage>;
  readonly openDriver: (stateDir: string) => Promise<Driver>;
  readonly prepareSpec: DriverUnderTest['prepareSpec'];
  readonly powerOff: string;
  readonly timeouts: DriverUnderTest['timeouts'];
}

/** The subject, and what ends its stand-in. */
export function multipassSubject(options: SubjectOptions): DriverUnderTest & AsyncDisposable {
  let dir: string | undefined;
  let standIn: StandIn | undefined;
  const started = async () => {
    dir ??= await mkdtemp(join(tmpdir(), 'golem-mp-'));
    const { version, openDriver, image } = options;
    standIn ??= await StandIn.start({
      ...{ dir, version, openDriver, image: await image(), sshPort: SSH_PORT },
    });
    return standIn;
  };
  const broken = (faults: Faults) => async () => (await started()).broken(faults);
  return {
    name: `multipass ${options.version}`,
    capabilities: ['suspend', 'snapshot', 'resize'],
    measures: [],
    console: false,
    open: async (stateDir) =>
      createMultipassDriver({ stateDir, ...(await started()).driverOptions }),
    prepareSpec: options.prepareSpec,
    powerOff: options.powerOff,
    timeouts: options.timeouts,
    faults: {
      destroy: broken({ stuck: true }),
      junk: broken({ client: 'junk', commands: ['info', 'list'] }),
      unreachable: async () => {
        const { up, down } = await started().then((running) => ({
          up: () => running.up(),
          down: () => running.down(),
        }));
        await down();
        return { [Symbol.asyncDispose]: up };
      },
    },
    [Symbol.asyncDispose]: async () => {
      await standIn?.[Symbol.asyncDispose]();
      if (dir !== undefined) await rm(dir, { recursive: true, force: true });
    },
  };
}
