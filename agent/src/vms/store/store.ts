/**
 * The truth about this provider's VMs, on disk. Synchronous throughout: what is read and written in
 * one `transaction` nothing else comes between.
 */
import { GrantTable } from '../sharing/table.ts';
import { CommandTable } from './commands.ts';
import { Database } from './database.ts';
import { FactTable } from './facts.ts';
import { OperationTable } from './operations.ts';
import { OrphanTable } from './orphans.ts';
import { VmTable } from './vms.ts';

export class Store implements Disposable {
  /** For tables of their own. */
  readonly db: Database;
  readonly vms: VmTable;
  readonly operations: OperationTable;
  readonly commands: CommandTable;
  readonly facts: FactTable;
  readonly grants: GrantTable;
  readonly orphans: OrphanTable;

  /** @throws {GolemError} `duplicate_identity` when another agent has this store open. */
  constructor(path: string) {
    this.db = new Database(path);
    this.vms = new VmTable(this.db);
    this.operations = new OperationTable(this.db);
    this.commands = new CommandTable(this.db);
    this.facts = new FactTable(this.db);
    this.grants = new GrantTable(this.db);
    this.orphans = new OrphanTable(this.db);
  }

  /** All of what `work` does, or nothing when it throws. */
  transaction<Result>(work: () => Result): Result {
    return this.db.transaction(work);
  }

  /** Forgets what nobody may ask for any more. Times in milliseconds since 1970. */
  prune(before: { readonly idempotency: number; readonly history: number }): void {
    this.transaction(() => {
      this.commands.prune(before.idempotency);
      this.operations.prune(before.history);
      this.vms.prune(before.history);
    });
  }

  [Symbol.dispose](): void {
    this.db[Symbol.dispose]();
  }
}
