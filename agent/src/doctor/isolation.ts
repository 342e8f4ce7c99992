/** What guests reach, and what they must not. */
import { configured, failure, ok, skipped, warning } from './check.ts';

export const isolation = configured('isolation', async ({ loaded, status }) => {
  if (loaded.config.driver === 'memory')
    return skipped('there are no guests that could reach anything');
  if (!status) return skipped('seen from inside a guest when the agent starts');
  if (status.isolation === 'full') {
    return ok('guests reach the Internet, and neither this machine nor its neighbours');
  }
  if (status.isolation === 'restricted') {
    return warning('guests reach nothing but their own SSH port', 'choose another guest network');
  }
  return failure(
    'guests reach this machine and its neighbours',
    'run as root on Linux with nftables, or install passt',
  );
});
