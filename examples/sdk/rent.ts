/** Rents a VM by the hour, waits until one can go in, and gives it back. `node rent.ts KEY.pub` */
import { readFile } from 'node:fs/promises';
import { generatePrivateJwk, GolemClient, MemoryRentals, openIdentity } from '@vm-on-golem/cli';

// Whoever has this key owns the VMs: a program that ends before they do keeps it.
const identity = await openIdentity('requestor', await generatePrivateJwk());
const client = new GolemClient({
  discovery: process.env['GOLEM_DISCOVERY'] ?? 'http://127.0.0.1:8787',
  identity: async () => identity,
});
const rentals = new MemoryRentals();
const { signal } = new AbortController();

const wish = {
  name: 'batch',
  resources: { cpus: 1, memoryMiB: 256, storageGiB: 2 },
  sshKeys: [(await readFile(process.argv[2] ?? 'id_ed25519.pub', 'utf8')).trim()],
  maxHourlyPrice: 50_000_000, // nano-USD: 5 cents
  ttlSeconds: 3600, // gone by then, whatever becomes of this program
};
const asked = await client.rent(wish, { rentals, signal });
const ready = await client.settle(asked, {
  ...{ rentals, signal, deadlineMillis: 600_000 },
  onStage: (stage) => console.log(`${wish.name}: ${stage}`),
});
console.log(`${ready.name} is ${ready.vm?.state}; its host key is ${ready.vm?.hostKey}`);
console.log(`given back: ${await client.giveBack(ready, { rentals, signal })}`);
