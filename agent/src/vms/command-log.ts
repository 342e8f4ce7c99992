/** Commands that were accepted: sent again, they are answered again and not done again. */
import { createHash } from 'node:crypto';
import { GolemError } from '@vm-on-golem/shared/errors';
import { AGENT_LIMITS } from '../limits.ts';
import type { Store } from './store/store.ts';

/** A command as its owner signed it. */
export interface Command {
  /** `gr_...`. */
  readonly owner: string;
  readonly idempotencyKey: string;
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/** An answer that is given word for word whenever the command is sent again. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface CommandLogOptions {
  readonly store: Store;
  /** Lease time: keys are not forgotten because somebody sets the clock. */
  readonly now: () => number;
}

export class CommandLog {
  readonly #store: Store;
  readonly #now: () => number;

  constructor({ store, now }: CommandLogOptions) {
    this.#store = store;
    this.#now = now;
  }

  /**
   * The answer of a command that was accepted within the last day.
   * @throws {GolemError} `idempotency_conflict` when its key was used for another one
   */
  answerTo(command: Command): Answer | undefined {
    const since = this.#now() - AGENT_LIMITS.vms.idempotencyMillis;
    const known = this.#store.commands.get(command.owner, command.idempotencyKey, since);
    if (!known) return undefined;
    if (known.digest !== digestOf(command)) throw new GolemError('idempotency_conflict');
    return { status: known.status, body: known.body };
  }

  /**
   * Does `work` and remembers its answer: both or, when it throws, neither.
   * @throws {GolemError} `rate_limited` when as many are remembered of its owner as can be
   */
  once(command: Command, work: () => Answer): Answer {
    return this.#once(command, work, (oldest) => {
      const millis = oldest + AGENT_LIMITS.vms.idempotencyMillis - this.#now();
      throw new GolemError(
        'rate_limited',
        `The provider takes ${AGENT_LIMITS.vms.commands} commands of one key a day.`,
        {
          hint: 'VMs can be stopped and destroyed, and access taken back, all the same.',
          retryAfter: Math.max(1, Math.ceil(millis / 1000)),
        },
      );
    });
  }

  /** For what is never refused: where no more is remembered it is done, and would be done again. */
  onceAtLeast(command: Command, work: () => Answer): Answer {
    return this.#once(command, work, work);
  }

  #once(command: Command, work: () => Answer, full: (oldest: number) => Answer): Answer {
    return this.#store.transaction(() => {
      const again = this.answerTo(command);
      if (again) return again;
      const since = this.#now() - AGENT_LIMITS.vms.idempotencyMillis;
      const { count, oldest } = this.#store.commands.count(command.owner, since);
      if (count >= AGENT_LIMITS.vms.commands) return full(oldest);
      const answer = work();
      const { owner, idempotencyKey } = command;
      const digest = digestOf(command);
      this.#store.commands.put(owner, idempotencyKey, { digest, ...answer }, this.#now());
      return answer;
    });
  }
}

function digestOf({ method, path, body }: Command): string {
  return createHash('sha256').update(`${method} ${path}\n${body}`).digest('base64url');
}
