import { LIMITS } from '@vm-on-golem/shared/limits';
import { expect, test } from 'vitest';
import { readRelaySettings } from '../src/tunnel/settings.ts';

test('sessions are carried as most lines need it, unless somebody says otherwise', () => {
  expect(readRelaySettings({})).toEqual({
    graceMillis: LIMITS.relay.graceSeconds * 1000,
    windowBytes: LIMITS.relay.windowMaxBytes,
  });
  expect(readRelaySettings({ GOLEM_RELAY_GRACE: '30', GOLEM_RELAY_WINDOW: '256' })).toEqual({
    graceMillis: 30_000,
    windowBytes: 256 * 1024,
  });
});

test.each([
  ['GOLEM_RELAY_GRACE', '0'],
  ['GOLEM_RELAY_GRACE', '3601'],
  ['GOLEM_RELAY_GRACE', '1e3'],
  ['GOLEM_RELAY_WINDOW', ''],
  ['GOLEM_RELAY_WINDOW', '255'],
  ['GOLEM_RELAY_WINDOW', '4097'],
  ['GOLEM_RELAY_WINDOW', '-1'],
])('%s=%s is refused with what it takes', (name, value) => {
  expect(() => readRelaySettings({ [name]: value })).toThrow(
    expect.objectContaining({
      code: 'usage',
      message: expect.stringMatching(/^GOLEM_RELAY_\w+ takes a whole number from \d+ to \d+\.$/),
    }),
  );
});
