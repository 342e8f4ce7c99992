/** All that one key has here goes to another key of the same person, at once or not at all. */
import { CLOSE, Ending } from '@vm-on-golem/shared/closes';
import { GolemError } from '@vm-on-golem/shared/errors';
import {
  openSuccession,
  type Succeeded,
  type Succession as SuccessionBody,
} from '@vm-on-golem/shared/succession';
import type { Answer, Command, CommandLog } from '../command-log.ts';
import { checkSuccession, type Policy } from '../policy.ts';
import type { Recorder } from '../recorder.ts';
import type { Store } from '../store/store.ts';
import { SuccessionTable } from './table.ts';

export interface SuccessionOptions {
  /** `gp_...` of this provider. */
  readonly provider: string;
  readonly store: Store;
  readonly commandLog: CommandLog;
  readonly recorder: Recorder;
  readonly policy: () => Policy;
  /** ms */
  readonly now: () => number;
  /** What `requestor` has open with the VM is to end. */
  readonly cut: (vmId: string, requestor: string, why: Ending) => void;
}

export class Succession {
  readonly #options: SuccessionOptions;
  readonly #table: SuccessionTable;

  constructor(options: SuccessionOptions) {
    this.#options = options;
    this.#table = new SuccessionTable(options.store.db);
  }

  /**
   * Done again it finds nothing to move, and is answered with success.
   * @throws {GolemError} `bad_signature` without the new key's consent; `vm_exists` when both have a VM
   * of one name; `forbidden` or `no_capacity` when the new key may not have as much here
   */
  async follow(command: Command, body: SuccessionBody): Promise<Answer> {
    const { provider, store, commandLog, policy, now } = this.#options;
    const from = command.owner;
    const to = await openSuccession(body, provider, from, now());
    if (to === from) {
      throw new GolemError('invalid_request', 'A key cannot follow itself.');
    }
    let left: string[] = [];
    const answer = commandLog.once(command, () => {
      checkSuccession(policy(), from, to, store.vms.holdings());
      const name = this.#table.clash(from, to);
      if (name !== undefined) {
        throw new GolemError('vm_exists', `Both keys have a VM called ${name} here.`, {
          hint: 'Destroy one of them, and try again.',
        });
      }
      const vms = this.#table.vms(from);
      left = [...vms, ...this.#table.shared(from)];
      this.#move(vms, from, to);
      const succeeded: Succeeded = { requestor: to, vms: vms.length };
      return { status: 200, body: JSON.stringify(succeeded) };
    });
    // Whose key was stolen wants the thief out.
    const why = new Ending(CLOSE.revoked, 'another key has taken over');
    for (const vmId of left) this.#options.cut(vmId, from, why);
    return answer;
  }

  #move(vms: readonly string[], from: string, to: string): void {
    const { recorder } = this.#options;
    for (const vmId of vms) {
      recorder.update(vmId, { owner: to });
      recorder.happened({ vmId, kind: 'succession', by: 'owner' });
    }
    this.#table.move(from, to);
  }
}
