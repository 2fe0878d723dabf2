-- Who gets mail, and where.
CREATE TABLE subscribers (
    user_id VARCHAR(64) NOT NULL PRIMARY KEY,
    address VARCHAR(254) NOT NULL,
    -- What links in messages to this address have in them.
    token VARCHAR(64) NOT NULL UNIQUE,
    -- 1 when somebody who reads the mail of the address said yes.
    confirmed BIGINT NOT NULL,
    -- The last period whose chart was sent, or that needs none.
    last_chart BIGINT NOT NULL,
    -- How many addresses were tried on which day since 1970.
    tried_on BIGINT NOT NULL,
    tried BIGINT NOT NULL,
    -- What could not be done of what was asked for last.
    note VARCHAR(500) NOT NULL,
    INDEX subscribers_by_chart (confirmed, last_chart, user_id)
);

-- To whom a welcome was sent, by its id: nobody gets a second one.
CREATE TABLE welcomed (
    id VARCHAR(64) NOT NULL PRIMARY KEY
);

-- The mailbox of a system without a mail server.
CREATE TABLE messages (
    id VARCHAR(64) NOT NULL PRIMARY KEY,
    -- In milliseconds since 1970 UTC.
    at BIGINT NOT NULL,
    recipient VARCHAR(254) NOT NULL,
    subject VARCHAR(500) NOT NULL,
    plain MEDIUMTEXT NOT NULL,
    html MEDIUMTEXT NOT NULL,
    INDEX messages_by_time (at, id)
);
