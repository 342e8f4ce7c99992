/**
 * A TCP proxy that does what networks do: it delays, throttles, cuts connections, and black-holes
 * them, which means that sockets stay open and nothing comes through.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What is under way in one direction of a delayed connection before its writer is made to wait. */
const MAX_IN_FLIGHT_BYTES = 64 * 1024 * 1024;

export interface ProxyOptions {
  /** Where connections go on to; asked anew for each. */
  readonly target: () => { readonly host: string; readonly port: number };
}

export interface Proxy extends AsyncDisposable {
  readonly port: number;
  /** Connections of this moment, and all there ever were. */
  readonly open: number;
  readonly accepted: number;
  /** Bytes that came through, both ways. */
  readonly carried: number;
  /** Each way, in milliseconds; of bytes that come from now on. */
  delay(milliseconds: number): void;
  /** Each way, each connection. */
  throttle(bytesPerSecond: number): void;
  /** Cuts all connections without a goodbye, as a router does that was switched off. */
  kill(): void;
  /** Cuts one of them. @param random in [0, 1) */
  killOne(random: number): void;
  /** From now on nothing comes through, on connections that are open and on those to come. */
  blackHole(): void;
  /** Connections that were in the black hole are dead for good; new ones work. */
  heal(): void;
  /** Whether what was held back in the black hole comes through after all. */
  release(): void;
}

interface Path {
  readonly near: Socket;
  readonly far: Socket;
  isForgotten: boolean;
}

export async function startProxy({ target }: ProxyOptions): Promise<Proxy> {
  const paths = new Set<Path>();
  let accepted = 0;
  let carried = 0;
  let delayMillis = 0;
  let bytesPerSecond = Number.POSITIVE_INFINITY;
  let hole: PromiseWithResolvers<void> | undefined;

  /** Forwards in order, each chunk after its delay, and reads no faster than that goes. */
  const forward = async (path: Path, from: Socket, to: Socket) => {
    let inFlight = 0;
    let last = Promise.resolve();
    for await (const chunk of from as AsyncIterable<Buffer>) {
      const due = performance.now() + delayMillis;
      const before = last;
      inFlight += chunk.length;
      last = (async () => {
        await before;
        const early = due - performance.now();
        if (early > 0) await sleep(early);
        await hole?.promise;
        if (path.isForgotten) return;
        carried += chunk.length;
        await new Promise<void>((resolve) => to.write(chunk, () => resolve()));
        inFlight -= chunk.length;
      })();
      if (bytesPerSecond < Number.POSITIVE_INFINITY) {
        await sleep((chunk.length / bytesPerSecond) * 1000);
      }
      if (delayMillis === 0 || hole || inFlight > MAX_IN_FLIGHT_BYTES) await last;
    }
    await last;
    await hole?.promise;
    if (!path.isForgotten) to.end();
  };

  const cut = (path: Path) => {
    path.isForgotten = true;
    paths.delete(path);
    path.near.resetAndDestroy();
    path.far.resetAndDestroy();
  };

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    accepted += 1;
    const far = connect({ ...target(), allowHalfOpen: true, noDelay: true });
    const path: Path = { near, far, isForgotten: false };
    paths.add(path);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('error', () => {
        // Whatever broke on one side is broken on the other; `close` follows.
      });
      from.on('close', (hadError) => {
        if (!hadError || hole) return;
        to.resetAndDestroy();
      });
      forward(path, from, to).catch(() => {
        // In the black hole nobody hears of it.
        if (!hole) cut(path);
      });
    }
    void Promise.all([once(near, 'close'), once(far, 'close')]).then(
      () => paths.delete(path),
      () => paths.delete(path),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const leaveHole = () => {
    hole?.resolve();
    hole = undefined;
  };
  return {
    port: (server.address() as AddressInfo).port,
    get open() {
      return paths.size;
    },
    get accepted() {
      return accepted;
    },
    get carried() {
      return carried;
    },
    delay: (milliseconds) => {
      delayMillis = milliseconds;
    },
    throttle: (rate) => {
      bytesPerSecond = rate;
    },
    kill: () => {
      for (const path of paths) cut(path);
    },
    killOne: (random) => {
      const path = [...paths][Math.floor(random * paths.size)];
      if (path) cut(path);
    },
    blackHole: () => {
      hole ??= Promise.withResolvers();
    },
    heal: () => {
      for (const path of paths) path.isForgotten = true;
      leaveHole();
    },
    release: leaveHole,
    [Symbol.asyncDispose]: async () => {
      for (const path of paths) cut(path);
      leaveHole();
      server.close();
      await once(server, 'close');
    },
  };
}
