/**
 * Parties that break the protocol, in the mode in which the relay itself looks: each is cut off with
 * a reason that names what it did, the other end hears of it, and another session of the same two
 * goes on.
 */
import { CLOSE } from '@vm-on-golem/shared/closes';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { encodeFrame, FRAME_TYPE, type Frame } from '@vm-on-golem/shared/stream/frame';
import { runInDurableObject } from 'cloudflare:test';
import { describe, expect, it, vi } from 'vitest';
import type { Relay } from '../src/objects/relay/object.ts';
import { MAX_UNHEARD } from '../src/objects/relay/gate.ts';
import { paths } from '@vm-on-golem/shared/api';
import { ScriptedAgent, send as request, signed } from './parties.ts';
import { data, openSsh, paired, receive, relay, requestor, send, type Pair } from './sessions.ts';

const { payloadBytes, windowBytes, windowMaxBytes } = LIMITS.relay;

const ack = (offset: number, window = windowBytes): Frame => ({ kind: 'ack', offset, window });
const fin = (offset: number): Frame => ({ kind: 'fin', offset });
const all = (...frames: Frame[]) => frames.map((frame) => encodeFrame(frame));

/** Byte for byte, whatever is wrong with it. */
function raw(type: number, flags: number, length: number): Uint8Array {
  const bytes = new Uint8Array(8 + length);
  bytes.set([type, flags]);
  return bytes;
}

/** Bytes pass both ways, from where each direction is. */
async function passes({ requestorLeg, agentLeg }: Pair, at: number): Promise<void> {
  send(requestorLeg, data(at, 100));
  expect(await receive(agentLeg)).toEqual(data(at, 100));
  send(agentLeg, data(at, 100));
  expect(await receive(requestorLeg)).toEqual(data(at, 100));
}

describe('a party that lies', () => {
  const lies: readonly [what: string, messages: readonly (string | Uint8Array)[], how: string][] = [
    ['text', ['hello'], 'a relay carries binary frames only'],
    ['a frame without a header', [new Uint8Array(3)], 'a frame of 3 bytes has no header'],
    ['nothing', [new Uint8Array(0)], 'a frame of 0 bytes has no header'],
    ['an unknown type', [raw(99, 0, 0)], 'unknown frame type 99'],
    ['unknown flags', [raw(FRAME_TYPE.data, 2, 1)], 'unknown flags 2 on data'],
    ['a flag where there is none', [raw(FRAME_TYPE.ack, 1, 4)], 'unknown flags 1 on ack'],
    ['an empty payload', [raw(FRAME_TYPE.data, 0, 0)], 'data with a payload of 0 bytes'],
    [
      'a frame that is too large',
      [raw(FRAME_TYPE.data, 0, payloadBytes + 1)],
      `data with a payload of ${payloadBytes + 1} bytes`,
    ],
    ['an ack that is cut short', [raw(FRAME_TYPE.ack, 0, 3)], 'ack with a payload of 3 bytes'],
    [
      'a reset with too long a reason',
      [raw(FRAME_TYPE.reset, 0, 126)],
      'reset with a payload of 126 bytes',
    ],
    ['a gap', all(data(0, 10), data(11)), 'bytes at 11, expected 10'],
    ['bytes once more', all(data(0, 10), data(0, 10)), 'bytes at 0, expected 10'],
    ['bytes that overlap', all(data(0, 10), data(9, 10)), 'bytes at 9, expected 10'],
    ['an end in the wrong place', all(data(0, 10), fin(11)), 'bytes at 11, expected 10'],
    ['an end twice', all(fin(0), fin(1)), 'bytes after the end'],
    ['bytes after the end', all(fin(0), data(1)), 'bytes after the end'],
    ['an acknowledgement of nothing', all(ack(1)), 'acknowledged bytes that were never sent'],
    ['too large a window', all(ack(0, windowMaxBytes + 1)), 'window is too large'],
    ['a resume', all({ kind: 'resume', offset: 0, epoch: 1 }), 'resume in the middle of a session'],
    ['an echo', all({ kind: 'probe', offset: 7 }), 'an echo of what nobody asked'],
    [
      'without listening',
      Array.from({ length: MAX_UNHEARD + 1 }, (_, n) => encodeFrame({ kind: 'ping', offset: n })),
      'too many frames that nobody answers',
    ],
  ];

  it.each(lies)('is cut off for %s', async (_, messages, how) => {
    const lied = await paired();
    const other = await paired(lied.agent);
    await passes(other, 0);
    for (const message of messages) lied.agentLeg.send(message);
    const reason = `${CLOSE.protocol.reason}: ${how}`;
    expect(await lied.agentLeg.closed).toEqual({ code: CLOSE.protocol.code, reason });
    expect(await lied.requestorLeg.closed).toEqual({
      code: CLOSE.peerGone.code,
      reason: `${CLOSE.peerGone.reason}: ${reason}`,
    });
    await passes(other, 100);
  });

  it('is cut off for an acknowledgement that goes back', async () => {
    const { requestorLeg, agentLeg } = await paired();
    send(requestorLeg, data(0, 100));
    await receive(agentLeg);
    send(agentLeg, ack(100));
    send(agentLeg, ack(99));
    expect(await agentLeg.closed).toEqual({
      code: CLOSE.protocol.code,
      reason: `${CLOSE.protocol.reason}: acknowledgement goes back`,
    });
    expect((await requestorLeg.closed).code).toBe(CLOSE.peerGone.code);
  });

  it('is cut off for the echo of another probe, and for one that is sent twice', async () => {
    for (const isTwice of [false, true]) {
      const { requestorLeg, agentLeg } = await paired();
      for (let at = 0; at < LIMITS.relay.probeBytes; at += payloadBytes) {
        send(requestorLeg, data(at, payloadBytes));
        await receive(agentLeg);
      }
      const probe = await receive(agentLeg);
      if (isTwice) send(agentLeg, probe);
      send(agentLeg, isTwice ? probe : { ...probe, offset: probe.offset + 1 });
      expect((await agentLeg.closed).reason).toContain('an echo of what nobody asked');
      expect((await requestorLeg.closed).code).toBe(CLOSE.peerGone.code);
    }
  });

  it('is held to the window, whose bytes all pass', async () => {
    const { requestorLeg, agentLeg } = await paired();
    const { windowBytes, payloadBytes } = LIMITS.relay;
    for (let at = 0; at < windowBytes; at += payloadBytes) {
      send(requestorLeg, data(at, payloadBytes));
      expect(await receive(agentLeg)).toMatchObject({ kind: 'data', offset: at });
    }
    send(requestorLeg, data(windowBytes));
    expect(await requestorLeg.closed).toEqual({
      code: CLOSE.overWindow.code,
      reason: `${CLOSE.overWindow.reason}: 1 bytes past the window`,
    });
    expect((await agentLeg.closed).code).toBe(CLOSE.peerGone.code);
  });

  it('costs no write for what it sends after it was cut off', async () => {
    const lied = await paired();
    await passes(lied, 0);
    const { session, agentLeg } = lied;
    agentLeg.send('hello');
    await agentLeg.closed;
    await runInDurableObject(relay(session), async (instance: Relay, state) => {
      const { 0: leg } = new WebSocketPair();
      state.acceptWebSocket(leg);
      leg.serializeAttachment({ side: 'agent', over: true });
      const written = vi.spyOn(state.storage, 'deleteAll');
      await instance.webSocketMessage(leg, encodeFrame(ack(0)).buffer);
      await instance.webSocketClose(leg, 1006, '');
      expect(written).not.toHaveBeenCalled();
    });
  });

  it('gives a reason that can be printed, whatever it said', async () => {
    const { requestorLeg, agentLeg } = await paired();
    agentLeg.close(4999, 'line\nbreak \u0007');
    expect((await requestorLeg.closed).reason).toBe(`${CLOSE.peerGone.reason}: line break  `);
  });
});

describe('an agent whose answer has headers that none may have', () => {
  const headers = { 'not a name': 'x', 'content-digest': 'b\u00e9\u0001', signature: 'ok' };
  const lie = (agent: ScriptedAgent, id: string) =>
    agent.socket.send(JSON.stringify({ type: 'response', id, status: 404, headers, body: 'mine' }));

  it.each(['a command', 'a session'])('is passed on without them: %s', async (what) => {
    const agent = await ScriptedAgent.online();
    const { id } = agent.identity;
    const isCommand = what === 'a command';
    const answer = isCommand
      ? request(await signed(requestor, { method: 'GET', path: paths.vms(id) }))
      : openSsh(id);
    const asked = await agent.expect(isCommand ? 'request' : 'relay.open');
    lie(agent, asked.id);
    const response = await answer;
    expect([response.status, await response.text()]).toEqual([404, 'mine']);
    expect(response.headers.get('signature')).toBe('ok');
    expect(response.headers.get('content-digest')).toBeNull();
  });
});

describe('a control socket', () => {
  it('is closed with a reason that can be printed, whatever it quotes', async () => {
    const agent = await ScriptedAgent.online();
    const offer = { text: '{}', signature: 'A'.repeat(86), 'evil\n\u0007key': 1 };
    agent.socket.send(JSON.stringify({ type: 'offer', offer }));
    const { code, reason } = await agent.socket.closed;
    expect(code).toBe(CLOSE.protocol.code);
    expect(reason).toContain('evil  key');
  });
});
