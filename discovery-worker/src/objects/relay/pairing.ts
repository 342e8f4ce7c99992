/** Who may take part in a session, and when. Pure; times in milliseconds since 1970. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Joining, Opening } from './port.ts';

export type Side = 'requestor' | 'agent';

/**
 * - `opening`: the agent was asked, the requestor waits for its answer
 * - `joined`: the agent's leg is there as well, the requestor's upgrade is still unanswered
 * - `paired`: both legs are there
 */
type SessionPhase = 'opening' | 'joined' | 'paired';

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
 * Admits the agent's leg.
 * @throws {GolemError} `forbidden` to everybody but the two parties, `stale_epoch` for an upgrade
 * that is not newer than the party's last, `unsupported` for a second leg.
 */
export function join(session: Session, joining: Joining, now: number): Session {
  const side = sideOf(session, joining);
  const last = session.epochs[side];
  if (last !== null && joining.epoch <= last) throw new GolemError('stale_epoch');
  if (session.phase !== 'opening' || side === 'requestor') {
    throw new GolemError('unsupported', 'A session cannot be taken up again yet.', {
      hint: 'Open a new session.',
    });
  }
  if (now >= session.openUntil) throw new GolemError('session_not_found');
  return { ...session, phase: 'joined', epochs: { ...session.epochs, agent: joining.epoch } };
}

/** Both legs are there. */
export function pair(session: Session): Session {
  if (session.phase !== 'joined') throw new TypeError(`cannot pair what is ${session.phase}`);
  return { ...session, phase: 'paired' };
}

function sideOf({ provider, requestorKey }: Session, joining: Joining): Side {
  if (joining.provider === provider) return 'agent';
  if (joining.keyId === requestorKey) return 'requestor';
  throw new GolemError('forbidden', 'This key is no party of the session.');
}
