/** What has to be looked at now and then while guests run. */
import type { Attachments } from './attachments.ts';
import { guestFolder } from './folder.ts';
import { boundConsole } from './console.ts';
import type { SpaceWatch } from './space.ts';

const CONSOLE_MILLIS = 15_000;
/** How long a guest waits at most after there is room on the host's disk again. */
const SPACE_MILLIS = 2_000;

/** Begins at once, and ends when it is disposed of. */
export function startUpkeep(
  stateDir: string,
  attachments: Attachments,
  space: SpaceWatch,
): Disposable {
  const consoles = setInterval(() => {
    for (const id of attachments.ids) {
      // The guest may be destroyed meanwhile; whatever else it was, the next check tries again.
      boundConsole(guestFolder(stateDir, id)).catch(() => undefined);
    }
  }, CONSOLE_MILLIS).unref();
  // Likewise.
  const waits = setInterval(() => void space.check().catch(() => undefined), SPACE_MILLIS).unref();
  return {
    [Symbol.dispose]: () => {
      clearInterval(consoles);
      clearInterval(waits);
    },
  };
}
