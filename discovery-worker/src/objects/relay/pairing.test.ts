import { LIMITS } from '@vm-on-golem/shared/limits';
import { describe, expect, it } from 'vitest';
import { join, openSession, pair } from './pairing.ts';
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

  it('takes every party once, with a rising epoch', () => {
    const joined = join(openSession(opening, 0), agent, 1);
    expect(() => join(joined, agent, 1)).toThrow(expect.objectContaining({ code: 'stale_epoch' }));
    expect(() => join(joined, { ...agent, epoch: 6 }, 1)).toThrow(
      expect.objectContaining({ code: 'unsupported' }),
    );
    for (const [epoch, code] of [
      [10, 'stale_epoch'],
      [11, 'unsupported'],
    ] as const) {
      expect(() => join(pair(joined), { ...requestor, epoch }, 1)).toThrow(
        expect.objectContaining({ code }),
      );
    }
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
