/**
 * Whole sessions over a relay whose object is evicted in their middle, with each mode: both ends run
 * the stream as agent and CLI do, and every byte is counted.
 */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import type { Identity } from '@vm-on-golem/shared/keys';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { ByteSink, Clock, FrameSocket } from '@vm-on-golem/shared/stream/ports';
import { pump } from '@vm-on-golem/shared/stream/pump';
import { expect, test } from 'vitest';
import { codeOf, ScriptedAgent } from './parties.ts';
import { dial, openSsh, relay, requestor } from './sessions.ts';

const MIB = 2 ** 20;
const BYTES = 64 * MIB;
const CHUNK = 64 * 1024;
const EVICTIONS = 12;

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

const clock: Clock = {
  now: () => Date.now(),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds);
    return () => clearTimeout(timer);
  },
};

function frameSocket(socket: WebSocket): FrameSocket {
  socket.binaryType = 'arraybuffer';
  // It is spoken on before it is listened to.
  socket.accept();
  return {
    send: (frame) => socket.send(frame),
    // What answers for the runtime's end of a socket in the same process is the process.
    ping: () => {},
    close: (code, reason) => socket.close(code, reason),
    drop: () => socket.close(),
    listen: ({ message, closed }) => {
      socket.addEventListener('message', ({ data }) =>
        message(new Uint8Array(data as ArrayBuffer)),
      );
      socket.addEventListener('close', ({ code, reason }) => closed(code, reason));
    },
  };
}

async function legOf(response: Response): Promise<FrameSocket> {
  if (response.webSocket) return frameSocket(response.webSocket);
  throw new GolemError('relay_failed', `refused: ${response.status} ${await codeOf(response)}`);
}

/** Bytes that nobody can guess, and their digest when they have all been taken. */
function randomSource() {
  const digest = new crypto.DigestStream('SHA-256');
  const writer = digest.getWriter();
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < BYTES; at += CHUNK) {
      const chunk = crypto.getRandomValues(new Uint8Array(CHUNK));
      await writer.write(chunk);
      yield chunk;
      // Everything is in one process here: whoever evicts needs a turn as well.
      if (at % MIB === 0) await turn();
    }
    await writer.close();
  }
  return { chunks: chunks(), digest: digest.digest };
}

function digestSink() {
  const digest = new crypto.DigestStream('SHA-256');
  const writer = digest.getWriter();
  let taken = 0;
  const sink: ByteSink = {
    write: async (bytes) => {
      taken += bytes.length;
      await writer.write(bytes);
    },
    end: () => writer.close(),
  };
  return { sink, digest: digest.digest, taken: () => taken };
}

/** One end of the session: what it sends and what comes. */
function run(identity: Identity, session: string, socket: FrameSocket) {
  const source = randomSource();
  const sink = digestSink();
  let redials = 0;
  const over = pump({
    socket,
    source: source.chunks,
    sink: sink.sink,
    clock,
    signal: new AbortController().signal,
    redial: {
      connect: async () => {
        redials += 1;
        return legOf(await dial(identity, session));
      },
      graceMillis: LIMITS.relay.graceSeconds * 1000,
      random: Math.random,
    },
  });
  return { source, sink, over, redials: () => redials };
}

/** @param isDeployed whether the sockets go as well, or sleep */
async function evict(session: string, isDeployed: boolean): Promise<void> {
  if (env.RELAY_MODE === 'hibernating') {
    const webSockets = isDeployed ? 'close' : 'hibernate';
    return evictDurableObject(relay(session), { webSockets });
  }
  // An object whose legs are coupled is never idle, so it cannot be evicted: only ended.
  await runInDurableObject(relay(session), (_, state) => state.abort('deployed')).catch(
    (error: unknown) => expect(String(error)).toContain('deployed'),
  );
}

const hex = async (digest: Promise<ArrayBuffer>) =>
  Array.from(new Uint8Array(await digest), (byte) => byte.toString(16).padStart(2, '0')).join('');

test(
  `64 MiB each way are whole, over a relay in ${env.RELAY_MODE} mode that is evicted ${EVICTIONS} times`,
  { timeout: 20_000 },
  async () => {
    const agent = await ScriptedAgent.online();
    const answer = openSsh(agent.identity.id);
    const opening = await agent.expect('relay.open');
    const { session } = opening;
    const agentSocket = await legOf(await dial(agent.identity, session));
    await agent.answer(opening, 200);
    const guestEnd = run(agent.identity, session, agentSocket);
    const userEnd = run(requestor, session, await legOf(await answer));

    for (let n = 1; n <= EVICTIONS; n += 1) {
      const share = (n * BYTES) / (EVICTIONS + 1);
      while (userEnd.sink.taken() < share && guestEnd.sink.taken() < share) {
        await turn();
      }
      await evict(session, n % 2 === 0);
    }
    await Promise.all([guestEnd.over, userEnd.over]);
    expect(await hex(userEnd.sink.digest)).toBe(await hex(guestEnd.source.digest));
    expect(await hex(guestEnd.sink.digest)).toBe(await hex(userEnd.source.digest));
    const partings = env.RELAY_MODE === 'hibernating' ? EVICTIONS / 2 : EVICTIONS;
    expect(userEnd.redials()).toBeGreaterThanOrEqual(partings);
    expect(guestEnd.redials()).toBeGreaterThanOrEqual(partings);
  },
);
