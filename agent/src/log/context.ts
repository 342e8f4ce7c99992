/**
 * The request that is being worked for. Discovery names every request, and the name is in each line
 * that the agent logs on its behalf, however far from where it came in: it is carried by the
 * asynchronous context and not by parameters. A name is all that it is, and proves nothing.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { newRequestId } from '@vm-on-golem/shared/ids';

const requests = new AsyncLocalStorage<string | undefined>();

/** Whatever `work` does, also after it has returned, is done for `request`. */
export function onBehalfOf<Result>(request: string | undefined, work: () => Result): Result {
  return requests.run(request, work);
}

/** Undefined for what the agent does by itself. */
export function currentRequest(): string | undefined {
  return requests.getStore();
}

/** What came from outside as a request's name; one that could be anything else is replaced. */
export function requestName(given: string): string {
  return /^[A-Za-z0-9_-]{1,64}$/.test(given) ? given : newRequestId();
}
