/** Who may take part in a session, and when. Pure; times in milliseconds since 1970. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Joining, Opening } from './port.ts';

export type Side = 'requestor' | 'agent';

/**
 * - `opening`: the agent was asked, the requestor waits for its answer
 * - `joined`: the agent's leg is there as well, the requestor's upgrade is still unanswered
 * - `paired`: both legs are there
 * - `parted`: a leg was lost, so both have to come again
 */
type SessionPhase = 'opening' | 'joined' | 'paired' | 'parted';

export interface Session {
  readonly phase: SessionPhase;
  readonly provider: string;
  readonly requestorKey: string;
  /** Of each party's newest leg; null before its first. */
  readonly epochs: Readonly<Record<Side, number | null>>;
  /** When a session ends that is not `paired`. */
  readonly openUntil: number;
}

export function openSession(opening: Opening, now: number): Session {
  return {
    phase: 'opening',
    provider: opening.provider,
    requestorKey: opening.requestorKey,
    epochs: { requestor: opening.epoch, agent: null },
    openUntil: now + LIMITS.relay.pairSeconds * 1000,
  };
}

/**
 * Admits a leg: the agent's first one, or any that takes the session up again. A party that comes
 * again has lost its leg, whatever the relay knows of that, so both have to.
 * @throws {GolemError} `forbidden` to everybody but the two parties, `stale_epoch` for an upgrade
 * that is not newer than the party's last, `wrong_state` while the session is being opened.
 */
export function join(session: Session, joining: Joining, now: number): Session {
  const side = sideOf(session, joining);
  const last = session.epochs[side];
  if (last !== null && joining.epoch <= last) throw new GolemError('stale_epoch');
  const epochs = { ...session.epochs, [side]: joining.epoch };
  if (session.phase === 'paired') return { ...part(session, now), epochs };
  if (session.phase === 'joined' || (session.phase === 'opening' && side === 'requestor')) {
    throw new GolemError('wrong_state', 'The session is still being opened.');
  }
  if (now >= session.openUntil) throw new GolemError('session_not_found');
  return { ...session, phase: session.phase === 'opening' ? 'joined' : 'parted', epochs };
}

/** A leg was lost. The time to come again runs from the first loss. */
export function part(session: Session, now: number): Session {
  if (session.phase === 'parted') return session;
  if (session.phase !== 'paired') throw new TypeError(`cannot part what is ${session.phase}`);
  const openUntil = now + LIMITS.relay.graceSeconds * 1000;
  return { ...session, phase: 'parted', openUntil };
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
