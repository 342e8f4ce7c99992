/** Which VM a name means that may be gone: what is here first, then what providers have written down. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Context } from '../command.ts';
import { findReady } from '../read/reference.ts';

/** How long discovery is asked where something was rented that is gone. */
const HINT_MILLIS = 5_000;

interface PastVm {
  readonly provider: string;
  readonly id: string;
}

/**
 * Names are free again once a VM is gone: of several that had this one, it is the latest.
 * @param reference a name, an id, or a prefix of the id of one that is there
 * @throws {GolemError} `vm_not_found` where nobody has written anything down about it
 */
export async function findPast(context: Context, reference: string): Promise<PastVm> {
  try {
    const { provider, vm } = await findReady(context, reference);
    return { provider, id: vm.id };
  } catch (error) {
    if (!(error instanceof GolemError) || error.code !== 'vm_not_found') throw error;
    const past = await recorded(context, reference);
    const latest = past.toSorted((a, b) => (a.until < b.until ? 1 : -1))[0];
    if (!latest) throw error;
    const which = past.length === 1 ? 'it was' : `the latest of ${past.length} was`;
    context.note(`'${reference}' is gone: ${which} ${latest.provider}/${latest.id}`);
    return latest;
  }
}

/** Those where something is rented, and those where discovery remembers that something was. */
export async function pastProviders(context: Context): Promise<string[]> {
  const known = (await context.book.all()).map(({ provider }) => provider);
  return [...new Set([...known, ...(await hinted(context))])];
}

async function recorded(
  context: Context,
  reference: string,
): Promise<(PastVm & { readonly until: string })[]> {
  const { client, signal, note } = context;
  const found = await Promise.all(
    (await pastProviders(context)).map(async (provider) => {
      try {
        const { vms } = await client.books.cost(provider, undefined, { signal });
        return vms
          .filter(({ id, name }) => reference === name || reference === id)
          .map(({ id, recordedUntil }) => ({ provider, id, until: recordedUntil }));
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof GolemError)) throw error;
        note(`golem: ${provider.slice(0, 15)} was not asked for it: ${error.message}`);
        return [];
      }
    }),
  );
  return found.flat();
}

async function hinted({ client, signal, note }: Context): Promise<string[]> {
  const ids: string[] = [];
  try {
    const options = { signal, deadlineMillis: HINT_MILLIS };
    for await (const id of client.myProviders(options)) ids.push(id);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof GolemError)) throw error;
    note(`golem: providers where you have nothing any more may be missing: ${error.message}`);
  }
  return ids;
}
