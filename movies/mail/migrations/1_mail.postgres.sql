-- Who gets mail, and where.
CREATE TABLE subscribers (
    user_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    address TEXT COLLATE "C" NOT NULL,
    -- What links in messages to this address have in them.
    token TEXT COLLATE "C" NOT NULL UNIQUE,
    -- 1 when somebody who reads the mail of the address said yes.
    confirmed BIGINT NOT NULL,
    -- The last period whose chart was sent, or that needs none.
    last_chart BIGINT NOT NULL,
    -- How many addresses were tried on which day since 1970.
    tried_on BIGINT NOT NULL,
    tried BIGINT NOT NULL,
    -- What could not be done of what was asked for last.
    note TEXT COLLATE "C" NOT NULL
);
CREATE INDEX subscribers_by_chart ON subscribers (confirmed, last_chart, user_id);

-- To whom a welcome was sent, by its id: nobody gets a second one.
CREATE TABLE welcomed (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY
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
