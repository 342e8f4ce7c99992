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
  `
  ALTER TABLE vms ADD COLUMN storage_price INTEGER NOT NULL DEFAULT 0;

  CREATE TABLE usage_vms (
    vm INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    owner TEXT NOT NULL
  ) STRICT;
  CREATE INDEX usage_vms_by_owner ON usage_vms (owner, vm);

  CREATE TABLE usage (
    vm INTEGER NOT NULL REFERENCES usage_vms (vm),
    from_at INTEGER NOT NULL,
    to_at INTEGER NOT NULL CHECK (to_at > from_at),
    running INTEGER NOT NULL,
    cpus INTEGER NOT NULL,
    memory_mib INTEGER NOT NULL,
    storage_gib INTEGER NOT NULL,
    hourly_price INTEGER NOT NULL,
    PRIMARY KEY (vm, from_at),
    CHECK (from_at / 86400000 = (to_at - 1) / 86400000 OR (running = 0 AND hourly_price = 0))
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER usage_continues BEFORE INSERT ON usage
  WHEN NEW.from_at <> (SELECT to_at FROM usage WHERE vm = NEW.vm ORDER BY from_at DESC LIMIT 1)
  BEGIN SELECT RAISE(ABORT, 'a usage record begins where the last one of its VM ended'); END;
  CREATE TRIGGER usage_is_kept BEFORE DELETE ON usage
  BEGIN SELECT RAISE(ABORT, 'usage records are only ever added'); END;
  CREATE TRIGGER usage_is_fixed BEFORE UPDATE ON usage
  BEGIN SELECT RAISE(ABORT, 'usage records are only ever added'); END;
  CREATE TRIGGER usage_vms_are_kept BEFORE DELETE ON usage_vms
  BEGIN SELECT RAISE(ABORT, 'usage records are only ever added'); END;
  CREATE TRIGGER usage_vms_are_fixed BEFORE UPDATE ON usage_vms
  BEGIN SELECT RAISE(ABORT, 'usage records are only ever added'); END;

  CREATE TABLE usage_meters (
    vm INTEGER PRIMARY KEY REFERENCES usage_vms (vm),
    from_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    running INTEGER NOT NULL,
    cpus INTEGER NOT NULL,
    memory_mib INTEGER NOT NULL,
    storage_gib INTEGER NOT NULL,
    hourly_price INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE vm_events (
    vm_id TEXT NOT NULL REFERENCES vms (id) ON DELETE CASCADE,
    n INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    by TEXT NOT NULL,
    message TEXT,
    PRIMARY KEY (vm_id, n)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE vm_grants (
    vm_id TEXT NOT NULL REFERENCES vms (id) ON DELETE CASCADE,
    requestor TEXT NOT NULL,
    ssh_key TEXT NOT NULL,
    granted_at INTEGER NOT NULL,
    PRIMARY KEY (vm_id, requestor)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX vm_grants_by_requestor ON vm_grants (requestor);
  `,
  // Times of leases are in lease time, which leases/clock.ts keeps.
  `
  ALTER TABLE vms ADD COLUMN lease_until INTEGER;
  ALTER TABLE vms ADD COLUMN destroy_at INTEGER;
  ALTER TABLE vms ADD COLUMN collect_by INTEGER;
  ALTER TABLE vms ADD COLUMN hold TEXT;
  ALTER TABLE vms ADD COLUMN boot TEXT;
  ALTER TABLE vms ADD COLUMN growing TEXT;
  ALTER TABLE vms ADD COLUMN gone_by TEXT;
  ALTER TABLE vms ADD COLUMN gone_why TEXT;
  CREATE INDEX vms_gone_name ON vms (owner, name) WHERE gone_at IS NOT NULL;
  ALTER TABLE operations ADD COLUMN args TEXT;
  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE orphans (
    vm_id TEXT PRIMARY KEY,
    first_seen INTEGER NOT NULL,
    ended INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE operations ADD COLUMN request TEXT;
  `,
  // So that a total does not take the longer the more records there are.
  `
  CREATE TABLE usage_sums (
    vm INTEGER NOT NULL REFERENCES usage_vms (vm),
    hourly_price INTEGER NOT NULL,
    millis INTEGER NOT NULL,
    PRIMARY KEY (vm, hourly_price)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO usage_sums SELECT vm, hourly_price, SUM(to_at - from_at) FROM usage
    GROUP BY vm, hourly_price;
  CREATE TRIGGER usage_is_summed AFTER INSERT ON usage
  BEGIN
    INSERT INTO usage_sums VALUES (NEW.vm, NEW.hourly_price, NEW.to_at - NEW.from_at)
    ON CONFLICT DO UPDATE SET millis = millis + excluded.millis;
  END;
  `,
  `
  CREATE TABLE traffic_months (
    month TEXT PRIMARY KEY,
    received INTEGER NOT NULL,
    sent INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE traffic_seen (
    source TEXT PRIMARY KEY,
    received INTEGER NOT NULL,
    sent INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE INDEX idempotency_by_owner ON idempotency (owner, at);
  `,
  `
  ALTER TABLE vms ADD COLUMN power TEXT NOT NULL DEFAULT 'off';
  UPDATE vms SET power = 'on' WHERE phase = 'running';
  `,
  // What was used is fixed for ever; whose it is goes on to the key that follows.
  `
  DROP TRIGGER usage_vms_are_fixed;
  CREATE TRIGGER usage_vms_are_fixed BEFORE UPDATE OF vm, id, name ON usage_vms
  BEGIN SELECT RAISE(ABORT, 'usage records are only ever added'); END;
  CREATE INDEX operations_by_owner ON operations (owner);
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
