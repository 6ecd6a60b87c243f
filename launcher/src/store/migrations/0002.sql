CREATE TABLE workspaces (
    name TEXT PRIMARY KEY,
    -- A VM with workspaces is not forgotten by accident.
    vm TEXT NOT NULL REFERENCES vms (name),
    create_id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('creating', 'ready', 'removing', 'kept')),
    stopped INTEGER NOT NULL DEFAULT 0 CHECK (stopped IN (0, 1)),
    -- Where it is on its VM, and its own user and group there, which have one name.
    folder TEXT NOT NULL,
    linux_user TEXT NOT NULL,
    repo TEXT,
    -- What was asked for, as JSON.
    spec TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (vm, linux_user),
    UNIQUE (vm, folder)
) STRICT;

CREATE TABLE agents (
    name TEXT PRIMARY KEY,
    vm TEXT NOT NULL REFERENCES vms (name),
    linux_user TEXT NOT NULL,
    template TEXT,
    -- Whether it may into every workspace of its VM, also those that are still to come.
    grant_all INTEGER NOT NULL DEFAULT 0 CHECK (grant_all IN (0, 1)),
    state TEXT NOT NULL CHECK (state IN ('creating', 'ready', 'failed', 'removing')),
    created_at TEXT NOT NULL,
    UNIQUE (vm, linux_user)
) STRICT;

CREATE TABLE grants (
    agent TEXT NOT NULL REFERENCES agents (name) ON DELETE CASCADE,
    workspace TEXT NOT NULL REFERENCES workspaces (name) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('explicit', 'implicit')),
    -- What an implicit one is for; empty for an explicit one.
    session TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL,
    PRIMARY KEY (agent, workspace, kind, session),
    CHECK ((kind = 'implicit') = (session != ''))
) STRICT, WITHOUT ROWID;

CREATE INDEX grants_by_workspace ON grants (workspace);

-- What this state has made on VMs carries its mark, so that it is told from what another state has made there.
CREATE TABLE owner (mark TEXT NOT NULL) STRICT;
INSERT INTO owner VALUES (lower(hex(randomblob(8))));
