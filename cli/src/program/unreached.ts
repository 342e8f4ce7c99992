/** What to say of a discovery service that cannot be reached: who named it, and how to name another. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Home } from '../state/home.ts';
import { SETTINGS } from '../state/settings.ts';

/** @returns any other error as it is */
export function unreached(error: unknown, home: Pick<Home, 'valueOf' | 'context'>): unknown {
  if (!(error instanceof GolemError) || error.code !== 'discovery_unreachable') return error;
  const setting = SETTINGS.find(({ name }) => name === 'discovery');
  if (!setting) return error;
  const { value, origin } = home.valueOf(setting);
  const { cause } = error;
  if (origin === 'default') {
    return new GolemError(
      'discovery_unreachable',
      `No discovery service is set, and there is none at ${value}.`,
      { hint: 'Set one: golem config set discovery https://...', cause },
    );
  }
  const where =
    origin === 'environment'
      ? setting.variable
      : `what 'golem config set discovery' says of the context ${home.context.value}`;
  return new GolemError('discovery_unreachable', error.message, {
    ...{ hint: `Check your network, and ${where}.`, cause },
  });
}
