CREATE TABLE vm_hosts (
    name TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    os TEXT,
    architecture TEXT,
    created_at TEXT NOT NULL,
    last_seen_at TEXT
) STRICT;

CREATE TABLE vms (
    name TEXT PRIMARY KEY,
    platform TEXT NOT NULL,
    host TEXT NOT NULL,
    vm_host TEXT REFERENCES vm_hosts (name),
    -- What the machine itself carries, so that one machine is one VM whatever reaches it.
    machine_id TEXT UNIQUE,
    provisioning TEXT NOT NULL CHECK (provisioning IN ('pending', 'in_progress', 'complete', 'failed')),
    initialization TEXT NOT NULL CHECK (initialization IN ('pending', 'in_progress', 'complete', 'failed')),
    admin_user TEXT,
    admin_home TEXT,
    os TEXT,
    architecture TEXT,
    created_at TEXT NOT NULL,
    last_seen_at TEXT
) STRICT;

CREATE TABLE vm_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    vm TEXT NOT NULL REFERENCES vms (name) ON DELETE CASCADE,
    at TEXT NOT NULL,
    event TEXT NOT NULL,
    detail TEXT
) STRICT;

CREATE INDEX vm_events_by_vm ON vm_events (vm);
