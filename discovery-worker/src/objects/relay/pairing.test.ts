import { LIMITS } from '@vm-on-golem/shared/limits';
import { describe, expect, it } from 'vitest';
import { admit, alarmAt, join, openSession, pair, part, type Session } from './pairing.ts';
import type { Joining, Opening } from './port.ts';

const opening: Opening = {
  provider: 'gp_a',
  requestorKey: 'key-of-requestor',
  epoch: 10,
  url: 'https://discovery.test/',
  headers: {},
  requestId: 'req_x',
};
const agent: Joining = { keyId: 'key-of-agent', provider: 'gp_a', epoch: 5, requestId: 'req_y' };
const GRACE = LIMITS.relay.graceSeconds * 1000;
const requestor: Joining = { ...agent, keyId: 'key-of-requestor', provider: 'gp_r', epoch: 11 };

const QUOTA = { bytes: 1000, seconds: 600, graceSeconds: LIMITS.relay.graceSeconds };
const opened = openSession(opening, QUOTA, 0);
const paired = pair(join(opened, agent));
const code = (code: string) => expect.objectContaining({ code });

/** As the object does it. */
function come(session: Session, joining: Joining, now: number): Session {
  admit(session, joining, now);
  return join(session.phase === 'paired' ? part(session, 0, now) : session, joining);
}

describe('a session', () => {
  it('is paired by the agent that was asked', () => {
    const joined = come(opened, agent, 1);
    expect(joined).toMatchObject({ phase: 'joined', epochs: { requestor: 10, agent: 5 } });
    expect(pair(joined).phase).toBe('paired');
  });

  it('is for its parties alone', () => {
    const stranger = { ...agent, keyId: 'other', provider: 'gp_other', epoch: 99 };
    for (const session of [opened, paired, part(paired, 0, 1)]) {
      expect(() => admit(session, stranger, 1)).toThrow(/no party/);
    }
  });

  it('is opened by one leg of the agent, with a rising epoch', () => {
    const joined = come(opened, agent, 1);
    expect(() => admit(joined, agent, 1)).toThrow(code('stale_epoch'));
    expect(() => admit(joined, { ...agent, epoch: 6 }, 1)).toThrow(code('wrong_state'));
    expect(() => admit(opened, requestor, 1)).toThrow(code('wrong_state'));
  });

  it('is taken up again by either party, and then by both', () => {
    for (const again of [requestor, { ...agent, epoch: 6 }]) {
      const parted = come(paired, again, 1000);
      expect(parted).toMatchObject({ phase: 'parted', openUntil: 1000 + GRACE });
      expect(() => admit(parted, again, 1001)).toThrow(code('stale_epoch'));
      const other = again === requestor ? { ...agent, epoch: 6 } : requestor;
      expect(pair(come(parted, other, 2000))).toMatchObject({
        phase: 'paired',
        epochs: { requestor: 11, agent: 6 },
      });
    }
  });

  it('is not joined while the old legs are there', () => {
    expect(() => join(paired, requestor)).toThrow(TypeError);
  });

  it('is held for its grace from the first loss on', () => {
    const parted = part(paired, 0, 5000);
    expect(part(parted, 0, 9000)).toEqual(parted);
    expect(come(parted, requestor, 5000 + GRACE - 1).phase).toBe('parted');
    expect(() => admit(parted, requestor, 5000 + GRACE)).toThrow(code('session_not_found'));
  });

  it('is over when the agent comes too late', () => {
    const late = LIMITS.relay.pairSeconds * 1000;
    expect(come(opened, agent, late - 1).phase).toBe('joined');
    expect(() => admit(opened, agent, late)).toThrow(code('session_not_found'));
  });

  it('may carry what is left of its quota, over all its legs', () => {
    const once = part(paired, 300, 0);
    expect(once.bytesLeft).toBe(700);
    const twice = part(pair(come(come(once, requestor, 1), { ...agent, epoch: 6 }, 1)), 600, 2);
    expect(twice.bytesLeft).toBe(100);
  });
});

describe('a session is looked after', () => {
  const inspectionMillis = 50_000;

  it('at the end of its time to open, or to come again', () => {
    const at = { inspectionMillis, isMissing: false };
    expect(alarmAt(opened, at, 0)).toBe(LIMITS.relay.pairSeconds * 1000);
    expect(alarmAt(part(paired, 0, 1000), at, 1000)).toBe(1000 + GRACE);
  });

  it('soon while the requestor waits for the agent, and not past its grace', () => {
    const at = { inspectionMillis, isMissing: true };
    const parted = part(paired, 0, 0);
    expect(alarmAt(parted, at, 0)).toBeLessThanOrEqual(5_000);
    expect(alarmAt(parted, at, GRACE - 1)).toBe(GRACE);
  });

  it('now and then while both legs are there, and when its time is up', () => {
    const at = { inspectionMillis, isMissing: false };
    expect(alarmAt(paired, at, 0)).toBe(inspectionMillis);
    expect(alarmAt(paired, at, 599_000)).toBe(QUOTA.seconds * 1000);
  });
});
