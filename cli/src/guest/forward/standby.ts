/** A login that is made anew when it was lost, by the next one who needs it. */
import type { Duplex } from 'node:stream';
import type { Guest } from '../login.ts';

export class Standby implements AsyncDisposable {
  readonly #enter: () => Promise<Guest>;
  readonly #lost: (why: Error | undefined) => void;
  #guest: Promise<Guest> | undefined;
  #isOver = false;

  /** @param lost is told each time, but not of the end that was asked for */
  constructor(enter: () => Promise<Guest>, lost: (why: Error | undefined) => void) {
    this.#enter = enter;
    this.#lost = lost;
  }

  /** @throws what kept `enter` from it; the next one tries again */
  async guest(): Promise<Guest> {
    this.#guest ??= this.#login();
    return this.#guest;
  }

  async forward(host: string, port: number): Promise<Duplex> {
    return (await this.guest()).forward(host, port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await (await this.#guest?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }

  async #login(): Promise<Guest> {
    try {
      const guest = await this.#enter();
      void guest.closed.then((why) => {
        this.#guest = undefined;
        if (!this.#isOver) this.#lost(why);
      });
      return guest;
    } catch (error) {
      this.#guest = undefined;
      throw error;
    }
  }
}
