/** Relay sessions, opened as their two parties do it. */
import { env } from 'cloudflare:workers';
import { paths } from '@vm-on-golem/shared/api';
import { generateIdentity, type Identity } from '@vm-on-golem/shared/keys';
import { decodeFrame, encodeFrame, type Frame } from '@vm-on-golem/shared/stream/frame';
import { nextEpoch, ScriptedAgent, signed, socketOf, upgrade } from './parties.ts';
import type { TestSocket } from './socket.ts';

export const requestor = await generateIdentity('requestor');

export const openSsh = async (provider: string) =>
  upgrade(
    await signed(requestor, {
      method: 'GET',
      path: paths.ssh(provider, 'web'),
      epoch: nextEpoch(),
    }),
  );

export const dial = async (identity: Identity, session: string, epoch = nextEpoch()) =>
  upgrade(await signed(identity, { method: 'GET', path: paths.relay(session), epoch }));

export interface Pair {
  readonly agent: ScriptedAgent;
  readonly session: string;
  readonly requestorLeg: TestSocket;
  readonly agentLeg: TestSocket;
}

/** @param given an agent that is online already, for one session more */
export async function paired(given?: ScriptedAgent): Promise<Pair> {
  const agent = given ?? (await ScriptedAgent.online());
  const answer = openSsh(agent.identity.id);
  const opening = await agent.expect('relay.open');
  const agentLeg = await socketOf(await dial(agent.identity, opening.session));
  await agent.answer(opening, 200);
  const requestorLeg = await socketOf(await answer);
  return { agent, session: opening.session, requestorLeg, agentLeg };
}

export const relay = (session: string) => env.RELAY.get(env.RELAY.idFromString(session));
export const send = (socket: TestSocket, frame: Frame) => socket.send(encodeFrame(frame));
export const receive = async (socket: TestSocket) => decodeFrame(await socket.bytes());
export const data = (offset: number, length = 1): Frame => ({
  kind: 'data',
  offset,
  blocked: false,
  payload: new Uint8Array(length).fill(7),
});
