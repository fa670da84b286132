/* The tables of the feed, for SQLite and PostgreSQL alike. Each one's SQL is in <table>_table.c and
 * nowhere else. */
#include "common/feed/feed.h"

const char kw_feed_schema[] =
    /* Each lane there is a point of. `role`: enum kw_lane_role. Changes up to the floor are not
     * kept. `head` is the last signed one (KWL1) of another store's lane, at `seq`; `rival` one that
     * contradicts what is held: the lane has forked. `heard_ms`: when `closed` came here, by our clock. A
     * writer has one present lane. `origin` is the place of its store, or the store where that is not known:
     * what is bounded. */
    "CREATE TABLE feed_lanes ("
    " id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),"
    " store BLOB NOT NULL CHECK (length(store) = 16),"
    " origin BLOB NOT NULL,"
    " incarnation BLOB NOT NULL CHECK (length(incarnation) = 16),"
    " writer INTEGER NOT NULL,"
    " role INTEGER NOT NULL CHECK (role IN (1, 2, 3)),"
    " seq INTEGER NOT NULL CHECK (seq >= 0),"
    " chain BLOB NOT NULL CHECK (length(chain) = 32),"
    " floor_seq INTEGER NOT NULL CHECK (floor_seq >= 0 AND floor_seq <= seq),"
    " floor_chain BLOB NOT NULL CHECK (length(floor_chain) = 32),"
    " closed INTEGER NOT NULL,"
    " heard_ms INTEGER NOT NULL CHECK (heard_ms >= 0),"
    " head BLOB,"
    " rival BLOB);"
    "CREATE UNIQUE INDEX feed_lanes_present ON feed_lanes (store, writer) WHERE role = 2;"
    "CREATE INDEX feed_lanes_origin ON feed_lanes (origin);"

    /* What is kept of each lane, floor to point without a hole. `chain` is the one after the change;
     * `head` the signed head that a batch ended with there. */
    "CREATE TABLE feed_changes ("
    " lane BLOB NOT NULL CHECK (length(lane) = 16),"
    " seq INTEGER NOT NULL CHECK (seq > 0),"
    " hlc INTEGER NOT NULL,"
    " urgent INTEGER NOT NULL CHECK (urgent IN (0, 1)),"
    " record BLOB NOT NULL,"
    " chain BLOB NOT NULL CHECK (length(chain) = 32),"
    " head BLOB,"
    " PRIMARY KEY (lane, seq));"
    "CREATE INDEX feed_changes_urgent ON feed_changes (lane, seq) WHERE urgent = 1;"

    /* Urgent changes of other stores (KWU1) whose lane has not got so far. */
    "CREATE TABLE feed_urgents ("
    " lane BLOB NOT NULL CHECK (length(lane) = 16),"
    " origin BLOB NOT NULL," /* as above */
    " seq INTEGER NOT NULL CHECK (seq > 0),"
    " chain BLOB NOT NULL CHECK (length(chain) = 32),"
    " record BLOB NOT NULL,"
    " due_ms INTEGER," /* NULL: that is over */
    " PRIMARY KEY (lane, seq, chain));"
    "CREATE INDEX feed_urgents_origin ON feed_urgents (origin);"
    "CREATE INDEX feed_urgents_due ON feed_urgents (due_ms);"

    /* The rows of all replicated tables, as merged records (KWM1). `digest` is the record's, or zeros
     * where the record was found to be another; `bucket` is where it is counted. */
    "CREATE TABLE feed_records ("
    " kind INTEGER NOT NULL,"
    " key BLOB NOT NULL,"
    " record BLOB NOT NULL,"
    " digest BLOB NOT NULL CHECK (length(digest) = 32),"
    " bucket INTEGER NOT NULL,"
    " PRIMARY KEY (kind, key));"
    "CREATE INDEX feed_records_bucket ON feed_records (kind, bucket, key);"

    /* Sums mod 2^256 of the digests of each bucket's rows, in parts, one of each writer. */
    "CREATE TABLE feed_digests ("
    " kind INTEGER NOT NULL,"
    " bucket INTEGER NOT NULL CHECK (bucket >= 0 AND bucket < 4096),"
    " writer INTEGER NOT NULL,"
    " digest BLOB NOT NULL CHECK (length(digest) = 32),"
    " PRIMARY KEY (kind, bucket, writer));"

    /* Present while we join: whom we ask, under which nonce, and from where on (answer.h). */
    "CREATE TABLE feed_joins ("
    " one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),"
    " again INTEGER NOT NULL," /* 1: it may be given up (feed_join.h) */
    " donor BLOB NOT NULL CHECK (length(donor) = 16),"
    " nonce BLOB NOT NULL CHECK (length(nonce) = 16),"
    " section INTEGER NOT NULL,"
    " kind INTEGER NOT NULL,"
    " key BLOB NOT NULL);"

    /* How far the donor's lanes were (KWL1) before the first of its rows was read. */
    "CREATE TABLE feed_join_heads ("
    " lane BLOB NOT NULL PRIMARY KEY CHECK (length(lane) = 16),"
    " head BLOB NOT NULL);"

    /* Last-writer-wins values of taken changes whose stamps are too far ahead of our clock. */
    "CREATE TABLE feed_held ("
    " lane BLOB NOT NULL CHECK (length(lane) = 16),"
    " seq INTEGER NOT NULL CHECK (seq > 0),"
    " chain BLOB NOT NULL CHECK (length(chain) = 32),"
    " due_ms INTEGER NOT NULL,"
    " record BLOB NOT NULL,"
    " PRIMARY KEY (lane, seq, chain));"
    "CREATE INDEX feed_held_due ON feed_held (due_ms);"

    /* Taken changes that this release can't read; `life`: the number of the one that tried last. */
    "CREATE TABLE feed_quarantine ("
    " lane BLOB NOT NULL CHECK (length(lane) = 16),"
    " seq INTEGER NOT NULL CHECK (seq > 0),"
    " chain BLOB NOT NULL CHECK (length(chain) = 32),"
    " record BLOB NOT NULL,"
    " reason TEXT NOT NULL,"
    " time_ms INTEGER NOT NULL,"
    " life INTEGER NOT NULL,"
    " PRIMARY KEY (lane, seq, chain));"
    "CREATE INDEX feed_quarantine_life ON feed_quarantine (life, lane, seq);"

    /* How far other stores hold each lane durably, as far as we hold it. `told`, of a lane of ours that has ended: how
     * far they say that they do, since our present life began. */
    "CREATE TABLE feed_acks ("
    " lane BLOB NOT NULL CHECK (length(lane) = 16),"
    " peer BLOB NOT NULL CHECK (length(peer) = 16),"
    " seq INTEGER NOT NULL CHECK (seq >= 0),"
    " told INTEGER NOT NULL DEFAULT 0 CHECK (told >= 0),"
    " PRIMARY KEY (lane, peer));";
