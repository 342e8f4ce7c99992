/** The commands of Multipass that the driver uses, and what came of them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DriverError, type GuestState } from '../driver.ts';
import type { CallOptions, MultipassCli, Outcome } from './cli.ts';
import { failureOf, type Complaint } from './complaints.ts';
import { MULTIPASS_LIMITS } from './limits.ts';
import { parseInfo, parseList, parseSetting, parseSnapshots, parseVersion } from './parse.ts';
import type { Sight } from './parse.ts';

const { changeMillis, settleMillis, pollMillis } = MULTIPASS_LIMITS;
const JSON_FORMAT = ['--format', 'json'] as const;

/** A command that came to nothing, for a reason that Multipass gave. */
export class MultipassFailure extends DriverError {
  readonly complaint: Complaint;
  constructor(complaint: Complaint, error: DriverError) {
    super(error.code, error.message);
    this.complaint = complaint;
  }
}

export type Look = Sight | { readonly state: 'absent' };

export class Instances {
  readonly #cli: MultipassCli;
  readonly #queryMillis: number;

  constructor(cli: MultipassCli, queryMillis: number = MULTIPASS_LIMITS.queryMillis) {
    this.#cli = cli;
    this.#queryMillis = queryMillis;
  }

  /** Of the daemon. @throws {DriverError} `unavailable` when it cannot be asked */
  async version(): Promise<string> {
    const stdout = await this.#ask(['version', ...JSON_FORMAT]);
    const version = parseVersion(stdout);
    if (!version) throw nonsense();
    if (version.daemon === undefined) {
      throw new DriverError('unavailable', 'The Multipass daemon (multipassd) does not run.');
    }
    return version.daemon;
  }

  /** What Multipass runs its guests by: `qemu`, `lxd`... @returns undefined when it does not say */
  async backend(): Promise<string | undefined> {
    const outcome = await this.#query(['get', 'local.driver']);
    return outcome.how === 'exited' && outcome.code === 0
      ? parseSetting(outcome.stdout)
      : undefined;
  }

  /**
   * Everybody's instances.
   * @returns undefined when the answer makes no sense
   * @throws {DriverError} `unavailable` when nobody answers
   */
  async list(): Promise<ReadonlyMap<string, Sight> | undefined> {
    return parseList(await this.#ask(['list', ...JSON_FORMAT, '--no-ipv4']));
  }

  /**
   * Absent is what Multipass says of this very instance, and nothing else.
   * @throws {DriverError} `unavailable` when nobody answers, or the answer makes no sense
   */
  async look(name: string): Promise<Look> {
    return this.#info(name, ['--no-runtime-information']);
  }

  /** As `look`, and with the address of one that runs, which takes longer. */
  async locate(name: string, signal: AbortSignal): Promise<Look> {
    return this.#info(name, [], signal);
  }

  /** When each snapshot was taken, by name. */
  async snapshots(name: string): Promise<ReadonlyMap<string, number>> {
    const outcome = await this.#query(['info', name, '--snapshots', ...JSON_FORMAT]);
    const failure = failureOf(outcome, name);
    if (failure) throw unanswered(failure.complaint, failure.error);
    const snapshots = parseSnapshots(stdoutOf(outcome), name);
    if (!snapshots) throw nonsense();
    return snapshots;
  }

  /**
   * Whether an instance that no other command sees yet is being created. It is asked by a setting
   * that no instance takes: the order of the checks gives the answer, and nothing is ever changed.
   */
  async isBeingPrepared(name: string): Promise<boolean> {
    const outcome = await this.#query(['set', `local.${name}.cpus=0`]);
    const failure = failureOf(outcome, name);
    if (failure?.error.code === 'unavailable' && failure.complaint !== 'preparing')
      throw failure.error;
    // Whatever else it says, it is there, and will be seen the next time.
    return failure?.complaint !== 'absent';
  }

  /**
   * Has something done. Its stdout is not read: what came of it shows in `look`.
   * @throws {MultipassFailure}
   */
  async change(
    name: string,
    args: readonly string[],
    options: Partial<CallOptions> = {},
  ): Promise<void> {
    const outcome = await this.#cli.call(args, { millis: changeMillis, ...options });
    const failure = failureOf(outcome, name);
    if (failure) throw new MultipassFailure(failure.complaint, failure.error);
  }

  /** @returns whether the instance comes to that state soon */
  async becomes(name: string, state: GuestState, signal?: AbortSignal): Promise<boolean> {
    for (const deadline = Date.now() + settleMillis; ;) {
      if ((await this.look(name)).state === state) return true;
      if (Date.now() > deadline || signal?.aborted) return false;
      await sleep(pollMillis);
    }
  }

  async #info(name: string, flags: readonly string[], signal?: AbortSignal): Promise<Look> {
    const outcome = await this.#query(['info', name, ...JSON_FORMAT, ...flags], signal);
    const failure = failureOf(outcome, name);
    if (failure?.complaint === 'absent') return { state: 'absent' };
    if (failure) throw unanswered(failure.complaint, failure.error);
    const sight = parseInfo(stdoutOf(outcome), name);
    if (!sight) throw nonsense();
    return sight;
  }

  async #ask(args: readonly string[]): Promise<string> {
    const outcome = await this.#query(args);
    const failure = failureOf(outcome, '');
    if (failure) throw unanswered(failure.complaint, failure.error);
    return stdoutOf(outcome);
  }

  #query(args: readonly string[], signal?: AbortSignal): Promise<Outcome> {
    const millis = this.#queryMillis;
    return this.#cli.call(args, { millis, answers: true, ...(signal && { signal }) });
  }
}

function stdoutOf(outcome: Outcome): string {
  return outcome.how === 'exited' ? outcome.stdout : '';
}

/** A question that got no answer says nothing about the guest, whatever the reason. */
function unanswered(complaint: Complaint, error: DriverError): DriverError {
  if (complaint === 'absent' || error.code === 'aborted') return error;
  return error.code === 'unavailable'
    ? error
    : new DriverError('unavailable', error.message, { cause: error });
}

function nonsense(): DriverError {
  return new DriverError('unavailable', 'Multipass gives an answer that makes no sense.');
}
