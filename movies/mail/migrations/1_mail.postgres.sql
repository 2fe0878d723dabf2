-- Who asked for mail.
CREATE TABLE users (
    user_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- How many addresses were tried on which day since 1970.
    tried_on BIGINT NOT NULL,
    tried BIGINT NOT NULL,
    -- What could not be done of what was asked for last.
    note TEXT COLLATE "C" NOT NULL
);

-- Where it goes: of each user at most one address that somebody there said yes to, and one that
-- was asked for.
CREATE TABLE addresses (
    -- What links in messages to this address have in them; the same for the same user and address.
    token TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id TEXT COLLATE "C" NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    -- 1 when somebody who reads the mail of the address said yes.
    confirmed BIGINT NOT NULL,
    -- When the period began whose chart was sent last, or that needs none.
    last_chart BIGINT NOT NULL
);
CREATE INDEX addresses_by_user ON addresses (user_id, token);
CREATE INDEX addresses_by_chart ON addresses (confirmed, last_chart, token);

-- How often an address was written to that had not said yes, by its hash.
CREATE TABLE welcomes (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- In which months since 1970, of thirty days each, how often.
    month BIGINT NOT NULL,
    sent BIGINT NOT NULL
);

-- The mailbox of a system without a mail server.
CREATE TABLE messages (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- In milliseconds since 1970 UTC.
    at BIGINT NOT NULL,
    recipient TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    plain TEXT COLLATE "C" NOT NULL,
    html TEXT COLLATE "C" NOT NULL
);
CREATE INDEX messages_by_time ON messages (at, id);
