/**
 * A full disk of the host pauses whoever writes to it: QEMU stops a guest whose write had no room, before
 * the guest hears of it, and tries that write again when it is let go on. Nothing is lost, and nobody
 * notices but by the wait.
 */
import { statfs } from 'node:fs/promises';
import * as z from 'zod';
import { DriverError } from '../driver.ts';
import type { Qmp } from './qmp.ts';

/** With less than this the next write would stop it again. */
const ROOM_BYTES = 16 * 1024 * 1024;
const statusSchema = z.object({ status: z.string() });

interface Waiting {
  readonly qmp: Qmp;
  /** Where its disk is. */
  readonly path: string;
}

export class SpaceWatch {
  readonly #waiting = new Map<string, Waiting>();

  /** Guests that wait for room. */
  get waiting(): string[] {
    return [...this.#waiting.keys()];
  }

  /**
   * Looks after a guest for as long as its QEMU runs.
   * @throws {DriverError} when QEMU does not answer
   */
  async watch(vmId: string, path: string, qmp: Qmp): Promise<void> {
    const wait = () => void this.#waiting.set(vmId, { qmp, path });
    qmp.onEvent(({ event, data }) => {
      if (event === 'BLOCK_IO_ERROR' && data['nospace'] === true && data['action'] === 'stop') {
        wait();
      }
    });
    void qmp.closed.then(() => {
      if (this.#waiting.get(vmId)?.qmp === qmp) this.#waiting.delete(vmId);
    });
    // One that an earlier agent has seen stop.
    if (await isStopped(qmp)) wait();
  }

  /** Lets go on whoever has room again. To be called every now and then. */
  async check(): Promise<void> {
    for (const [vmId, { qmp, path }] of this.#waiting) {
      if ((await freeBytes(path)) < ROOM_BYTES) continue;
      this.#waiting.delete(vmId);
      try {
        // Somebody may have suspended it meanwhile.
        if (await isStopped(qmp)) await qmp.execute('cont');
      } catch (error) {
        if (!(error instanceof DriverError)) throw error;
        // It has ended meanwhile, or QEMU is busy; then it is tried again.
        if (error.code === 'timeout') this.#waiting.set(vmId, { qmp, path });
      }
    }
  }
}

async function isStopped(qmp: Qmp): Promise<boolean> {
  return statusSchema.parse(await qmp.execute('query-status')).status === 'io-error';
}

/** A disk that cannot be asked has no room that anybody could count on. */
async function freeBytes(path: string): Promise<number> {
  return statfs(path).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0,
  );
}
