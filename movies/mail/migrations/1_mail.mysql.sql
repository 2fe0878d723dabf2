-- Who asked for mail.
CREATE TABLE users (
    user_id VARCHAR(64) NOT NULL PRIMARY KEY,
    -- How many addresses were tried on which day since 1970.
    tried_on BIGINT NOT NULL,
    tried BIGINT NOT NULL,
    -- What could not be done of what was asked for last.
    note VARCHAR(500) NOT NULL
);

-- Where it goes: of each user at most one address that somebody there said yes to, and one that
-- was asked for.
CREATE TABLE addresses (
    -- What links in messages to this address have in them; the same for the same user and address.
    token VARCHAR(64) NOT NULL PRIMARY KEY,
    user_id VARCHAR(64) NOT NULL,
    address VARCHAR(254) NOT NULL,
    -- 1 when somebody who reads the mail of the address said yes.
    confirmed BIGINT NOT NULL,
    -- When the period began whose chart was sent last, or that needs none.
    last_chart BIGINT NOT NULL
);
CREATE INDEX addresses_by_user ON addresses (user_id, token);
CREATE INDEX addresses_by_chart ON addresses (confirmed, last_chart, token);

-- How often an address was written to that had not said yes, by its hash.
CREATE TABLE welcomes (
    id VARCHAR(64) NOT NULL PRIMARY KEY,
    -- In which months since 1970, of thirty days each, how often.
    month BIGINT NOT NULL,
    sent BIGINT NOT NULL
);

-- The mailbox of a system without a mail server.
CREATE TABLE messages (
    id VARCHAR(64) NOT NULL PRIMARY KEY,
    -- In milliseconds since 1970 UTC.
    at BIGINT NOT NULL,
    recipient VARCHAR(254) NOT NULL,
    subject VARCHAR(500) NOT NULL,
    plain MEDIUMTEXT NOT NULL,
    html MEDIUMTEXT NOT NULL
);
CREATE INDEX messages_by_time ON messages (at, id);
