import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, integer, array, property } from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RisingCounter } from './counter.ts';
import { openProvider, openProviderIdentity } from './provider.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'golem-identity-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('keys', () => {
  test('are made once, and only their owner can read them', async () => {
    const first = await openProvider(dir, Date.now);
    const second = await openProvider(dir, Date.now);
    expect(first.identity.id).toMatch(/^gp_[a-z2-7]{26}$/);
    expect(second.identity.id).toBe(first.identity.id);
    expect(second.sealingKey).toEqual(first.sealingKey);
    for (const file of ['identity-key.json', 'sealing-key.json']) {
      expect((await stat(join(dir, file))).mode & 0o777).toBe(0o600);
    }
  });

  test('are the same for all that start at once', async () => {
    const ids = await Promise.all(
      Array.from({ length: 8 }, async () => (await openProviderIdentity(dir)).id),
    );
    expect(new Set(ids).size).toBe(1);
  });

  test('that others can read are refused', async () => {
    await openProviderIdentity(dir);
    await chmod(join(dir, 'identity-key.json'), 0o640);
    await expect(openProviderIdentity(dir)).rejects.toMatchObject({
      code: 'forbidden',
      hint: expect.stringContaining('chmod 600') as string,
    });
  });

  test('that are damaged are refused, and not replaced', async () => {
    const path = join(dir, 'identity-key.json');
    for (const text of ['', '{', '{"kty":"OKP"}']) {
      await writeFile(path, text, { mode: 0o600 });
      await expect(openProviderIdentity(dir)).rejects.toMatchObject({ code: 'invalid_request' });
      expect(await readFile(path, 'utf8')).toBe(text);
    }
  });

  test('are not written through a link that leads nowhere', async () => {
    await symlink(join(dir, 'nowhere'), join(dir, 'identity-key.json'));
    await expect(openProviderIdentity(dir)).rejects.toThrow();
    await expect(stat(join(dir, 'nowhere'))).rejects.toThrow();
  });
});

describe('a counter', () => {
  test('rises over restarts and clocks that go back', () => {
    let run = 0;
    assert(
      property(array(integer({ min: 0, max: 1e13 }), { minLength: 1, maxLength: 20 }), (clocks) => {
        const path = join(dir, `counter-${(run += 1)}`);
        let last = -1;
        for (const clock of clocks) {
          const counter = new RisingCounter(path, () => clock);
          for (let n = 0; n < 3; n += 1) {
            const next = counter.next();
            expect(next).toBeGreaterThan(last);
            expect(next).toBeGreaterThanOrEqual(clock);
            last = next;
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test('that is damaged is refused, with what helps', async () => {
    await writeFile(join(dir, 'counter'), 'many');
    expect(() => new RisingCounter(join(dir, 'counter'), Date.now)).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    );
  });
});
