/** What an idle session costs: nothing that anybody would have to be woken for. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { LIMITS } from '../../shared/src/limits.ts';
import { startProxy } from '../proxy.ts';
import { echo } from './echo.ts';
import { startLoadNetwork } from './network.ts';

const IDLE_MILLIS = 30_000;
/** Until a line that was in use is known to be quiet. */
const QUIET_MILLIS = 2 * LIMITS.relay.busyLostSeconds * 1000 + 1_000;
/** Of the WebSocket protocol: a ping with its mask, and its answer. The runtime answers it. */
const PING_BYTES = 6 + 2;
/** The agent's control socket, and the two legs of the session. */
const CONNECTIONS = 3;

test('on the lines of an idle session nothing passes but pings of the WebSocket protocol', async () => {
  await using cleanup = new AsyncDisposableStack();
  let port = 0;
  const proxy = cleanup.use(await startProxy({ target: () => ({ host: '127.0.0.1', port }) }));
  const network = cleanup.use(
    await startLoadNetwork({
      relayMode: 'hibernating',
      front: async (discovery) => {
        port = Number(new URL(discovery).port);
        return `http://127.0.0.1:${proxy.port}`;
      },
    }),
  );
  const session = await network.open('echo');
  expect(await echo(session, 100_000)).toBe(true);
  await sleep(QUIET_MILLIS);
  expect(proxy.open).toBe(CONNECTIONS);

  const before = proxy.carried;
  await sleep(IDLE_MILLIS);
  const carried = proxy.carried - before;
  const pings = CONNECTIONS * Math.ceil(IDLE_MILLIS / (LIMITS.control.pingSeconds * 1000));
  expect(carried).toBeGreaterThan(0);
  expect(carried).toBeLessThanOrEqual(pings * PING_BYTES);
  console.info(`idle for ${IDLE_MILLIS / 1000} s: ${carried} bytes on ${CONNECTIONS} connections`);

  expect(await echo(session, 100_000)).toBe(true);
  await session.drop();
});
