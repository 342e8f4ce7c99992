/**
 * Lets other keys see a VM and go in, and takes that back. The provider lets them through; what opens the
 * guest itself, their SSH key in its files, is put there by the owner: a provider has no way in.
 */
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { CreateGrant, Grants } from '@vm-on-golem/shared/vm-commands';
import type { Answer, Command, CommandLog } from '../command-log.ts';
import type { Directory } from '../directory.ts';
import type { Recorder } from '../recorder.ts';
import type { Store } from '../store/store.ts';

export interface SharingOptions {
  readonly store: Store;
  readonly commandLog: CommandLog;
  readonly directory: Pick<Directory, 'find' | 'recognise'>;
  readonly recorder: Recorder;
  readonly now: () => number;
  /** @throws {GolemError} `forbidden` when this provider lets that key in nowhere */
  readonly check: (requestor: string) => void;
  /** What `requestor` has open with the VM is to end. */
  readonly revoked: (vmId: string, requestor: string) => void;
}

export class Sharing {
  readonly #options: SharingOptions;

  constructor(options: SharingOptions) {
    this.#options = options;
  }

  grants(owner: string, ref: string): Grants {
    return this.#show(this.#options.directory.find(owner, ref).id);
  }

  /** @throws {GolemError} `forbidden`, `invalid_request`, `wrong_state` */
  grant(command: Command, ref: string, { requestor, sshKey }: CreateGrant): Answer {
    const { store, directory, recorder, now, check } = this.#options;
    directory.recognise(command.owner, ref);
    return this.#options.commandLog.once(command, () => {
      const vm = directory.find(command.owner, ref);
      if (requestor === vm.owner) {
        throw new GolemError('invalid_request', 'That is your own key: the VM is yours already.');
      }
      if (vm.removing) throw new GolemError('wrong_state', 'The VM is being removed.');
      check(requestor);
      if (
        !store.grants.has(vm.id, requestor) &&
        store.grants.of(vm.id).length >= LIMITS.vm.grants
      ) {
        throw new GolemError(
          'wrong_state',
          `The VM is shared with ${LIMITS.vm.grants} keys already, and with no more at once.`,
          { hint: 'Take it back from one of them first.' },
        );
      }
      store.grants.put(vm.id, { requestor, sshKey, grantedAt: now() });
      recorder.happened({ vmId: vm.id, kind: 'share', by: 'owner', message: requestor });
      return answerOf(this.#show(vm.id));
    });
  }

  /** Whoever loses it is out at once. @throws {GolemError} `not_found` when they never had it */
  revoke(command: Command, ref: string, requestor: string): Answer {
    const { store, directory, recorder, revoked } = this.#options;
    directory.recognise(command.owner, ref);
    let taken: string | undefined;
    const answer = this.#options.commandLog.onceAtLeast(command, () => {
      const vm = directory.find(command.owner, ref);
      if (!store.grants.has(vm.id, requestor)) {
        throw new GolemError('not_found', 'The VM is not shared with that key.');
      }
      store.grants.remove(vm.id, requestor);
      recorder.happened({ vmId: vm.id, kind: 'unshare', by: 'owner', message: requestor });
      taken = vm.id;
      return answerOf(this.#show(vm.id));
    });
    if (taken !== undefined) revoked(taken, requestor);
    return answer;
  }

  #show(vmId: string): Grants {
    return {
      grants: this.#options.store.grants.of(vmId).map(({ requestor, sshKey, grantedAt }) => ({
        ...{ requestor, sshKey, grantedAt: new Date(grantedAt).toISOString() },
      })),
    };
  }
}

function answerOf(grants: Grants): Answer {
  return { status: 200, body: JSON.stringify(grants) };
}
