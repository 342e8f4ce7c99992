/** The tables of the store, as steps from one version to the next. A step never changes again. */
import type { DatabaseSync } from 'node:sqlite';
import { GolemError } from '@vm-on-golem/shared/errors';

const STEPS: readonly string[] = [
  `
  CREATE TABLE vms (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    phase TEXT NOT NULL,
    removing INTEGER NOT NULL DEFAULT 0,
    image TEXT NOT NULL,
    cpus INTEGER NOT NULL,
    memory_mib INTEGER NOT NULL,
    storage_gib INTEGER NOT NULL,
    hourly_price INTEGER NOT NULL,
    user TEXT NOT NULL,
    host_key TEXT NOT NULL,
    labels TEXT,
    created_at INTEGER NOT NULL,
    gone_at INTEGER
  ) STRICT;
  CREATE UNIQUE INDEX vms_live_name ON vms (owner, name) WHERE gone_at IS NULL;
  CREATE INDEX vms_gone ON vms (gone_at) WHERE gone_at IS NOT NULL;

  CREATE TABLE operations (
    id TEXT PRIMARY KEY,
    vm_id TEXT NOT NULL REFERENCES vms (id) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    error TEXT,
    finished_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX operations_by_vm ON operations (vm_id);
  CREATE INDEX operations_running ON operations (state) WHERE state = 'running';
  CREATE INDEX operations_finished ON operations (finished_at) WHERE finished_at IS NOT NULL;

  CREATE TABLE events (
    operation TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    n INTEGER NOT NULL,
    at INTEGER NOT NULL,
    stage TEXT NOT NULL,
    PRIMARY KEY (operation, n)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE idempotency (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (owner, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX idempotency_at ON idempotency (at);
  `,
  `
  ALTER TABLE operations ADD COLUMN actor TEXT NOT NULL DEFAULT 'owner';
  `,
];

/** @throws {GolemError} `unsupported` when a newer program has written the store. */
export function migrate(db: DatabaseSync): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version > STEPS.length) {
    throw new GolemError(
      'unsupported',
      `The store is of version ${version}; this program knows up to ${STEPS.length}.`,
      { hint: 'Start the newer golem-provider that wrote it.' },
    );
  }
  for (let next = version; next < STEPS.length; next += 1) {
    db.exec(`BEGIN IMMEDIATE; ${STEPS[next]} PRAGMA user_version = ${next + 1}; COMMIT;`);
  }
}
