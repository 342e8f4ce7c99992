/** A discovery service that cannot be reached, by who has named it. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { expect, test } from 'vitest';
import { unreached } from './unreached.ts';

const refused = new Error('connect ECONNREFUSED');
const down = new GolemError('discovery_unreachable', 'It is down.', { hint: 'x', cause: refused });
const home = (origin: 'default' | 'environment' | 'file') => ({
  context: { value: 'work', origin: 'file' as const },
  valueOf: () => ({ value: 'http://127.0.0.1:8787', origin }),
});

test('that nobody has named is not blamed on the network', () => {
  expect(unreached(down, home('default'))).toMatchObject({
    ...{ code: 'discovery_unreachable', cause: refused },
    message: 'No discovery service is set, and there is none at http://127.0.0.1:8787.',
    hint: 'Set one: golem config set discovery https://...',
  });
});

test.each([
  ['environment', 'Check your network, and GOLEM_DISCOVERY.'],
  ['file', "Check your network, and what 'golem config set discovery' says of the context work."],
] as const)('that the %s names is to be checked there', (origin, hint) => {
  expect(unreached(down, home(origin))).toMatchObject({
    ...{ code: 'discovery_unreachable', message: 'It is down.', hint, cause: refused },
  });
});

test('is the only thing that is said otherwise', () => {
  const other = new GolemError('provider_offline');
  expect(unreached(other, home('default'))).toBe(other);
});
