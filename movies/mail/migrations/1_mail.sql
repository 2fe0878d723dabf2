-- Who gets mail, and where.
CREATE TABLE subscribers (
    user_id TEXT NOT NULL PRIMARY KEY,
    address TEXT NOT NULL,
    -- What links in messages to this address have in them.
    token TEXT NOT NULL UNIQUE,
    -- 1 when somebody who reads the mail of the address said yes.
    confirmed INTEGER NOT NULL,
    -- The last period whose chart was sent, or that needs none.
    last_chart INTEGER NOT NULL,
    -- How many addresses were tried on which day since 1970.
    tried_on INTEGER NOT NULL,
    tried INTEGER NOT NULL,
    -- What could not be done of what was asked for last.
    note TEXT NOT NULL
) STRICT;
CREATE INDEX subscribers_by_chart ON subscribers (confirmed, last_chart, user_id);

-- To whom a welcome was sent, by its id: nobody gets a second one.
CREATE TABLE welcomed (
    id TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- The mailbox of a system without a mail server.
CREATE TABLE messages (
    id TEXT NOT NULL PRIMARY KEY,
    -- In milliseconds since 1970 UTC.
    at INTEGER NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    plain TEXT NOT NULL,
    html TEXT NOT NULL
) STRICT;
CREATE INDEX messages_by_time ON messages (at, id);
