-- Who asked for mail.
CREATE TABLE users (
    user_id TEXT NOT NULL PRIMARY KEY,
    -- How many addresses were tried on which day since 1970.
    tried_on INTEGER NOT NULL,
    tried INTEGER NOT NULL,
    -- What could not be done of what was asked for last.
    note TEXT NOT NULL
) STRICT;

-- Where it goes: of each user at most one address that somebody there said yes to, and one that
-- was asked for.
CREATE TABLE addresses (
    -- What links in messages to this address have in them; the same for the same user and address.
    token TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    address TEXT NOT NULL,
    -- 1 when somebody who reads the mail of the address said yes.
    confirmed INTEGER NOT NULL,
    -- When the period began whose chart was sent last, or that needs none.
    last_chart INTEGER NOT NULL
) STRICT;
CREATE INDEX addresses_by_user ON addresses (user_id, token);
CREATE INDEX addresses_by_chart ON addresses (confirmed, last_chart, token);

-- How often an address was written to that had not said yes, by its hash.
CREATE TABLE welcomes (
    id TEXT NOT NULL PRIMARY KEY,
    -- In which months since 1970, of thirty days each, how often.
    month INTEGER NOT NULL,
    sent INTEGER NOT NULL
) STRICT;

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
