/** The streams that were dialled to memory guests: this end for whoever dialled, the far one for sshd. */
import { duplexPair, type Duplex } from 'node:stream';

export class Connections {
  /** The guests' ends. */
  readonly #open = new Map<string, Set<Duplex>>();

  open(vmId: string): { readonly near: Duplex; readonly far: Duplex } {
    // As a socket does, a side that hears the end of the other one ends as well.
    const [near, far] = duplexPair({ allowHalfOpen: false });
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
    const ends = this.#open.get(vmId) ?? new Set();
    this.#open.set(vmId, ends.add(far));
    far.once('close', () => {
      ends.delete(far);
      if (ends.size === 0) this.#open.delete(vmId);
    });
    return { near, far };
  }

  /** Cuts what leads to one guest. */
  end(vmId: string): void {
    for (const far of this.#open.get(vmId) ?? []) far.destroy();
  }

  [Symbol.dispose](): void {
    for (const vmId of this.#open.keys()) this.end(vmId);
  }
}
