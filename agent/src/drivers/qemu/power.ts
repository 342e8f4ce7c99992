/** Ending a guest: by its power button, by telling QEMU, by force. */
import { DriverError } from '../driver.ts';
import type { GuestFolder } from './folder.ts';
import { killQemu, qemuGone } from './process.ts';
import type { Qmp } from './qmp.ts';

/** A guest in the middle of its boot does not notice the first press. */
const PRESS_MILLIS = 10_000;
/** What QEMU needs to write its caches back, whether the guest or we ended it. */
const QUIT_MILLIS = 5_000;

/**
 * Presses the guest's power button until it has shut down.
 * @returns whether it has, before `graceMs` are over and before `signal`
 */
export async function pressPowerButton(
  folder: GuestFolder,
  qmp: Qmp,
  { graceMs, signal }: { readonly graceMs: number; readonly signal: AbortSignal },
): Promise<boolean> {
  const deadline = Date.now() + graceMs;
  for (let left = graceMs; left > 0 && !signal.aborted; left = deadline - Date.now()) {
    await pressed(qmp);
    if (await endsWithin(qmp, Math.min(left, PRESS_MILLIS), signal)) {
      return qemuGone(folder, QUIT_MILLIS);
    }
  }
  return false;
}

/**
 * Ends QEMU and resolves when it is gone.
 * @param qmp its control socket, where that can be had
 */
export async function pullPlug(folder: GuestFolder, qmp: Qmp | undefined): Promise<void> {
  if (qmp) {
    // QEMU may end before it has answered; whether it did is seen below.
    await qmp.execute('quit').catch(() => undefined);
    await endsWithin(qmp, QUIT_MILLIS, new AbortController().signal);
    await qemuGone(folder, QUIT_MILLIS);
  }
  await killQemu(folder);
  qmp?.[Symbol.dispose]();
}

async function pressed(qmp: Qmp): Promise<void> {
  try {
    await qmp.execute('system_powerdown');
  } catch (error) {
    // A QEMU that ends, or hangs, is waited for like any other; after that its plug is pulled.
    if (!(error instanceof DriverError)) throw error;
  }
}

/** @returns whether QEMU ended in time and before `signal` */
async function endsWithin(qmp: Qmp, millis: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), millis);
  const onAbort = () => resolve(false);
  signal.addEventListener('abort', onAbort, { once: true });
  void qmp.closed.then(() => resolve(true));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
