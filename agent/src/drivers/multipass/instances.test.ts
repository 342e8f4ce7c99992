/** Whatever the program does, a question is answered, or refused with a `DriverError`. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { DriverError } from '../driver.ts';
import type { MultipassCli, Outcome } from './cli.ts';
import { Instances, MultipassFailure } from './instances.ts';

const NAME = 'golem-abcdefghijklmnopqrst';
const answering = (outcome: Outcome) =>
  new Instances({ call: async () => outcome } as unknown as MultipassCli);

const text = fc.oneof(
  fc.string(),
  fc.json(),
  fc.json().map((json) => `{"info":{"${NAME}":${json}}}`),
  fc.constantFrom('does not exist', `instance "${NAME}x" does not exist`, '{"list":[]}', '{}'),
);
const outcomes: fc.Arbitrary<Outcome> = fc.oneof(
  fc.constantFrom('crashed', 'timeout', 'aborted', 'flooded', 'missing').map((how) => ({ how })),
  fc.record({
    how: fc.constant('exited' as const),
    code: fc.oneof(fc.constantFrom(0, 1, 2, 5, 255), fc.integer({ min: 0, max: 255 })),
    stdout: text,
    stderr: text,
  }),
) as fc.Arbitrary<Outcome>;

test('no answer but the right one makes a guest absent', async () => {
  const refused = (error: unknown) => {
    expect(error).toBeInstanceOf(DriverError);
    // Of the codes only `absent` gives a guest up.
    expect((error as DriverError).code).not.toBe('absent');
  };
  await fc.assert(
    fc.asyncProperty(outcomes, async (outcome) => {
      const instances = answering(outcome);
      const { signal } = new AbortController();
      const looked = await instances.look(NAME).catch(refused);
      expect(looked?.state).not.toBe('absent');
      const located = await instances.locate(NAME, signal).catch(refused);
      expect(located?.state).not.toBe('absent');
      await instances.list().catch(refused);
      await instances.snapshots(NAME).catch(refused);
      await instances.version().catch(refused);
      await instances.backend();
      await instances.change(NAME, ['stop', NAME]).catch(refused);
      expect(await instances.isBeingPrepared(NAME).catch(() => true)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('the right one does', async () => {
  const stderr = `info failed: The following errors occurred:\ninstance "${NAME}" does not exist\n`;
  const instances = answering({ how: 'exited', code: 2, stdout: '', stderr });
  expect(await instances.look(NAME)).toEqual({ state: 'absent' });
  expect(await instances.isBeingPrepared(NAME)).toBe(false);
  await expect(instances.change(NAME, ['stop', NAME])).rejects.toMatchObject({
    ...{ code: 'absent', complaint: 'absent' },
  });
  await expect(instances.change(NAME, ['stop', NAME])).rejects.toBeInstanceOf(MultipassFailure);
});
