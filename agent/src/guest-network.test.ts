import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newVmId } from '@vm-on-golem/shared/ids';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readConfig } from './config/config.ts';
import type { GuestImage } from './drivers/driver.ts';
import { createQemuDriver } from './drivers/qemu/driver.ts';
import type { ChooseOptions } from './drivers/qemu/network/choose.ts';
import type { GuestNetwork } from './drivers/qemu/network/network.ts';
import { restrictedNetwork } from './drivers/qemu/network/restricted.ts';
import { GuestNetworks } from './guest-network.ts';

let dataDir: string;
let opened: ChooseOptions[];
let refreshed: (readonly string[])[];
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'networks-'));
  opened = [];
  refreshed = [];
});
afterEach(() => rm(dataDir, { recursive: true }));

const network: GuestNetwork = {
  ...restrictedNetwork,
  isolation: 'full',
  refresh: async (addresses) => void refreshed.push(addresses),
};
const image: GuestImage = {
  id: 'debian',
  arch: 'x86_64',
  user: 'debian',
  disk: '/none',
  minMemoryMiB: 128,
};
const images = { list: () => [image], resolve: async () => image };
const { signal } = new AbortController();

function openNetworks(flags: Record<string, string | string[]> = {}): Promise<GuestNetworks> {
  const discovery = 'https://discovery.example';
  return GuestNetworks.open(readConfig({ discovery, 'data-dir': dataDir, ...flags }, {}), {
    cap: () => undefined,
    log: pino({ level: 'silent' }),
    open: async (options) => {
      opened.push(options);
      return network;
    },
  });
}

test('what an earlier agent was seen as is closed before a guest or a probe starts', async () => {
  await writeFile(join(dataDir, 'public-address'), '203.0.113.9\n');
  const networks = await openNetworks({ 'public-address': ['198.51.100.7'] });
  const probed = networks.probe(
    {
      images,
      openDriver: async () => {
        throw new Error('no guest is started here');
      },
    },
    signal,
  );
  await expect(probed).rejects.toThrow('no guest is started here');
  expect(opened.map(({ closed }) => closed)).toEqual([
    ['198.51.100.7', '203.0.113.9'],
    ['198.51.100.7', '203.0.113.9'],
  ]);
  await networks.refresh();
  expect(refreshed).toEqual([['198.51.100.7', '203.0.113.9']]);
});

test('the guest of a probe that was killed is gone before what it saw is believed', async () => {
  const probeDir = join(dataDir, 'probe');
  await mkdir(join(probeDir, newVmId(), 'run'), { recursive: true });
  const networks = await openNetworks();
  const openDriver = (guests: GuestNetwork, stateDir: string) =>
    createQemuDriver({ stateDir, allowEmulation: true, network: guests });
  const unresolved = {
    list: images.list,
    resolve: async () => {
      throw new Error('the probe begins');
    },
  };
  const proved = networks.prove('boot', { images: unresolved, openDriver }, signal);
  await expect(proved).rejects.toThrow('the probe begins');
  expect(await readdir(probeDir)).toEqual([]);
});
