/** Says what happens to a VM until it is gone. `node watch.ts KEY.json gp_... vm_...` */
import { readFile } from 'node:fs/promises';
import { GolemClient, GolemError, openIdentity } from '@vm-on-golem/cli';

const [, , keyFile = '', provider = '', vmId = ''] = process.argv;
const client = new GolemClient({
  discovery: process.env['GOLEM_DISCOVERY'] ?? 'http://127.0.0.1:8787',
  identity: async () => openIdentity('requestor', JSON.parse(await readFile(keyFile, 'utf8'))),
});
const stop = new AbortController();
process.once('SIGINT', () => stop.abort(new GolemError('interrupted')));

for await (const { at, by, kind, message = '' } of client.events.follow(provider, vmId, stop)) {
  console.log(at, by, kind, message);
}
