/** Where this key may have VMs, as discovery remembers it: a hint, as only providers know. */
import { myProvidersSchema, paths } from '@vm-on-golem/shared/api';
import type { CallOptions } from '../ports.ts';
import type { Transport } from '../wire/transport.ts';

/** More than anybody rents from; whoever does is not helped by a longer list. */
const MAX_PAGES = 10;

/** Where the key ordered first, the latest before the others; nothing by a discovery service that is older than this. */
export async function* myProviders(
  transport: Transport,
  requestor: string,
  options: CallOptions,
): AsyncGenerator<string> {
  let query = '';
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const path = paths.myProviders(requestor) + query;
    const page = await transport.askSigned(myProvidersSchema, path, options);
    for (const { provider } of page.providers) yield provider;
    if (page.next === null) return;
    query = `?cursor=${encodeURIComponent(page.next)}`;
  }
}
