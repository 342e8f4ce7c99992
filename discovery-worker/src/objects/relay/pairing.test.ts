import { LIMITS } from '@vm-on-golem/shared/limits';
import { describe, expect, it } from 'vitest';
import { join, openSession, pair, part } from './pairing.ts';
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

describe('a session', () => {
  it('is paired by the agent that was asked', () => {
    const joined = join(openSession(opening, 0), agent, 1);
    expect(joined).toMatchObject({ phase: 'joined', epochs: { requestor: 10, agent: 5 } });
    expect(pair(joined).phase).toBe('paired');
  });

  it('is for its parties alone', () => {
    const stranger = { ...agent, keyId: 'other', provider: 'gp_other' };
    expect(() => join(openSession(opening, 0), stranger, 1)).toThrow(/no party/);
  });

  it('is opened by one leg of the agent, with a rising epoch', () => {
    const joined = join(openSession(opening, 0), agent, 1);
    expect(() => join(joined, agent, 1)).toThrow(expect.objectContaining({ code: 'stale_epoch' }));
    expect(() => join(joined, { ...agent, epoch: 6 }, 1)).toThrow(
      expect.objectContaining({ code: 'wrong_state' }),
    );
    expect(() => join(openSession(opening, 0), requestor, 1)).toThrow(
      expect.objectContaining({ code: 'wrong_state' }),
    );
  });

  it('is taken up again by either party, and then by both', () => {
    const paired = pair(join(openSession(opening, 0), agent, 1));
    for (const again of [requestor, { ...agent, epoch: 6 }]) {
      const parted = join(paired, again, 1000);
      expect(parted).toMatchObject({ phase: 'parted', openUntil: 1000 + GRACE });
      expect(() => join(parted, again, 1001)).toThrow(
        expect.objectContaining({ code: 'stale_epoch' }),
      );
      const other = again === requestor ? { ...agent, epoch: 6 } : requestor;
      expect(pair(join(parted, other, 2000))).toMatchObject({
        phase: 'paired',
        epochs: { requestor: 11, agent: 6 },
      });
    }
  });

  it('is held for its grace from the first loss on', () => {
    const parted = part(pair(join(openSession(opening, 0), agent, 1)), 5000);
    expect(part(parted, 9000)).toEqual(parted);
    expect(join(parted, requestor, 5000 + GRACE - 1).phase).toBe('parted');
    expect(() => join(parted, requestor, 5000 + GRACE)).toThrow(
      expect.objectContaining({ code: 'session_not_found' }),
    );
  });

  it('is taken up by no stranger', () => {
    const parted = part(pair(join(openSession(opening, 0), agent, 1)), 5000);
    const stranger = { ...agent, keyId: 'other', provider: 'gp_other', epoch: 99 };
    expect(() => join(parted, stranger, 5001)).toThrow(/no party/);
  });

  it('is over when the agent comes too late', () => {
    const session = openSession(opening, 0);
    const late = LIMITS.relay.pairSeconds * 1000;
    expect(join(session, agent, late - 1).phase).toBe('joined');
    expect(() => join(session, agent, late)).toThrow(
      expect.objectContaining({ code: 'session_not_found' }),
    );
  });
});
