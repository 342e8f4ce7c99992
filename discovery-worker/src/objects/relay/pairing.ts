/** Who may take part in a session, and when. Pure; times in milliseconds since 1970. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Joining, Opening } from './port.ts';

export type Side = 'requestor' | 'agent';

const OTHER: Record<Side, Side> = { requestor: 'agent', agent: 'requestor' };
export const otherSide = (side: Side): Side => OTHER[side];

/**
 * - `opening`: the agent was asked, the requestor waits for its answer
 * - `joined`: the agent's leg is there as well, the requestor's upgrade is still unanswered
 * - `paired`: both legs are there
 * - `parted`: a leg was lost, so both have to come again
 */
type SessionPhase = 'opening' | 'joined' | 'paired' | 'parted';

/** How often an agent is asked for the leg that is missing; mostly it comes by itself before. */
const SUMMON_MILLIS = 3_000;

export interface Session {
  readonly phase: SessionPhase;
  readonly provider: string;
  readonly requestorKey: string;
  /** Of each party's newest leg; null before its first. */
  readonly epochs: Readonly<Record<Side, number | null>>;
  /** When a session ends that is not `paired`. */
  readonly openUntil: number;
  /** When it ends in any case. */
  readonly endsAt: number;
  /** Payload that it may still carry; what the legs of this moment have carried is not off yet. */
  readonly bytesLeft: number;
  readonly graceSeconds: number;
}

/** What this relay lets one session use. */
export interface Quota {
  readonly bytes: number;
  readonly seconds: number;
  /** How long it is kept that lost its legs. */
  readonly graceSeconds: number;
}

export function openSession(opening: Opening, quota: Quota, now: number): Session {
  return {
    phase: 'opening',
    provider: opening.provider,
    requestorKey: opening.requestorKey,
    epochs: { requestor: opening.epoch, agent: null },
    openUntil: now + LIMITS.relay.pairSeconds * 1000,
    endsAt: now + quota.seconds * 1000,
    bytesLeft: quota.bytes,
    graceSeconds: quota.graceSeconds,
  };
}

/**
 * Whether a leg may come: the agent's first one, or any that takes the session up again.
 * @throws {GolemError} `forbidden` to everybody but the two parties, `stale_epoch` for an upgrade
 * that is not newer than the party's last, `wrong_state` while the session is being opened.
 */
export function admit(session: Session, joining: Joining, now: number): void {
  const side = sideOf(session, joining);
  const last = session.epochs[side];
  if (last !== null && joining.epoch <= last) throw new GolemError('stale_epoch');
  if (session.phase === 'paired') return;
  if (session.phase === 'joined' || (session.phase === 'opening' && side === 'requestor')) {
    throw new GolemError('wrong_state', 'The session is still being opened.');
  }
  if (now >= session.openUntil) throw new GolemError('session_not_found');
}

/**
 * A leg that was admitted comes. A party that comes again has lost its leg, whatever the relay knows
 * of that, so both have to: a session that is `paired` has to be parted before.
 */
export function join(session: Session, joining: Joining): Session {
  const { phase } = session;
  if (phase !== 'opening' && phase !== 'parted')
    throw new TypeError(`cannot join what is ${phase}`);
  const epochs = { ...session.epochs, [sideOf(session, joining)]: joining.epoch };
  return { ...session, phase: phase === 'opening' ? 'joined' : 'parted', epochs };
}

/**
 * A leg was lost. The time to come again runs from the first loss.
 * @param carried payload that the legs have carried, in bytes
 */
export function part(session: Session, carried: number, now: number): Session {
  if (session.phase === 'parted') return session;
  if (session.phase !== 'paired') throw new TypeError(`cannot part what is ${session.phase}`);
  const openUntil = now + session.graceSeconds * 1000;
  return { ...session, phase: 'parted', openUntil, bytesLeft: session.bytesLeft - carried };
}

/**
 * When a session is to be looked after next.
 * @param isMissing the requestor has come again and the agent has not
 */
export function alarmAt(
  { phase, endsAt, openUntil }: Session,
  at: { readonly inspectionMillis: number; readonly isMissing: boolean },
  now: number,
): number {
  const open = at.isMissing ? Math.min(openUntil, now + SUMMON_MILLIS) : openUntil;
  return Math.min(endsAt, phase === 'paired' ? now + at.inspectionMillis : open);
}

/** Both legs are there. */
export function pair(session: Session): Session {
  if (session.phase !== 'joined' && session.phase !== 'parted') {
    throw new TypeError(`cannot pair what is ${session.phase}`);
  }
  return { ...session, phase: 'paired' };
}

/** @throws {GolemError} `forbidden` */
export function sideOf(
  { provider, requestorKey }: Session,
  joining: Pick<Joining, 'provider' | 'keyId'>,
): Side {
  if (joining.provider === provider) return 'agent';
  if (joining.keyId === requestorKey) return 'requestor';
  throw new GolemError('forbidden', 'This key is no party of the session.');
}
