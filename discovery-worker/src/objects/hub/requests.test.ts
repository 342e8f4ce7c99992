import { LIMITS } from '@vm-on-golem/shared/limits';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Requests } from './requests.ts';

const answer = { status: 200, headers: {}, body: '' };

/** Timers that run when they are told to. */
function fakeTimers() {
  const calls = new Set<() => void>();
  return {
    calls,
    after: (_: number, call: () => void) => {
      calls.add(call);
      return () => calls.delete(call);
    },
  };
}

describe('requests in flight', () => {
  it('are settled once, by their own connection', async () => {
    const { after, calls } = fakeTimers();
    const requests = new Requests(after);
    const waiting = requests.wait('a', '1', 30);
    requests.answer('b', '1', answer);
    expect(requests.size).toBe(1);
    requests.answer('a', '1', answer);
    requests.answer('a', '1', { ...answer, status: 500 });
    expect(await waiting).toEqual(answer);
    expect([requests.size, calls.size]).toEqual([0, 0]);
  });

  it('are waited for until the last is settled, and not for ever', async () => {
    const { after, calls } = fakeTimers();
    const requests = new Requests(after);
    await requests.idle(1);
    const [first, second] = [requests.wait('a', '1', 30), requests.wait('b', '2', 30)];
    let isIdle = false;
    const idle = requests.idle(1).then(() => (isIdle = true));
    requests.answer('a', '1', answer);
    await first;
    expect(isIdle).toBe(false);
    requests.answer('b', '2', answer);
    await Promise.all([second, idle]);
    expect(calls.size).toBe(0);

    const never = requests.wait('a', '3', 30);
    const tooLong = requests.idle(1);
    [...calls].at(-1)?.();
    await tooLong;
    expect(requests.size).toBe(1);
    requests.lose('a');
    await expect(never).rejects.toMatchObject({ code: 'link_lost' });
  });

  it('time out, are lost with their connection, or are cancelled', async () => {
    const { after, calls } = fakeTimers();
    const requests = new Requests(after);
    const late = requests.wait('a', '1', 30);
    for (const call of calls) call();
    await expect(late).rejects.toMatchObject({ code: 'provider_timeout' });

    const lost = [requests.wait('a', '2', 30), requests.wait('a', '3', 30)];
    const other = requests.wait('b', '2', 30);
    requests.lose('a');
    for (const promise of lost) await expect(promise).rejects.toMatchObject({ code: 'link_lost' });
    expect(requests.size).toBe(1);

    expect(requests.cancel('b', '2')).toBe(true);
    expect(requests.cancel('b', '2')).toBe(false);
    await expect(other).rejects.toMatchObject({ code: 'link_lost' });
  });

  it('never exceed their bound, and free their place however they end', () => {
    const step = fc.tuple(
      fc.constantFrom('ask', 'ask', 'ask', 'answer', 'cancel', 'lose', 'time out'),
      fc.nat(100),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const { after, calls } = fakeTimers();
        const requests = new Requests(after);
        let open: string[] = [];
        let id = 0;
        for (const [what, at] of steps) {
          const chosen = open[at % Math.max(1, open.length)];
          if (what === 'ask') {
            const name = String((id += 1));
            const full = open.length >= LIMITS.control.inFlight;
            if (full) {
              expect(() => requests.admit('a')).toThrow();
            } else {
              requests.admit('a');
              requests.wait('a', name, 30).catch(() => {});
              open.push(name);
            }
          } else if (what === 'lose') {
            requests.lose('a');
            open = [];
          } else if (what === 'time out') {
            const [first] = calls;
            first?.();
            open.shift();
          } else if (chosen !== undefined) {
            if (what === 'answer') requests.answer('a', chosen, answer);
            else requests.cancel('a', chosen);
            open = open.filter((name) => name !== chosen);
          }
          expect([requests.size, calls.size]).toEqual([open.length, open.length]);
        }
      }),
    );
  });
});
