/* The schema's history. Migrations that are out never change; new ones are added at the end.
 *
 * Tables that other cells have too are columns of what is on the feed, written by its projections
 * alone (feed_tables.c). Their rows come in any order, so none refers to another; and what one cell
 * does once, two may do twice, so what is unique is the key of the replicated row and nothing else.
 * The receipt log, checkpoints, protections, turns and copies of others' receipts are this cell's own.
 */
#include "services/orchestrator/schema.h"

#include "common/feed/feed.h"

static const char initial[] =
    /* Pens made together. `station` and `request` name the CreateBatch call, so that it can be
       resumed. */
    "CREATE TABLE batches ("
    " id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),"
    " station BLOB NOT NULL CHECK (length(station) = 16),"
    " request BLOB NOT NULL CHECK (length(request) = 16),"
    " product BLOB NOT NULL CHECK (length(product) = 16),"
    " lot TEXT NOT NULL,"
    " count INTEGER NOT NULL CHECK (count > 0),"
    " created_ms INTEGER NOT NULL,"
    " released_ms INTEGER);"
    "CREATE INDEX batches_request ON batches (station, request);"

    /* Instances on one database make what a request asks for one after the other, each with this row
       to itself. */
    "CREATE TABLE batch_turns ("
    " station BLOB NOT NULL CHECK (length(station) = 16),"
    " request BLOB NOT NULL CHECK (length(request) = 16),"
    " turns INTEGER NOT NULL,"
    " PRIMARY KEY (station, request));"

    /* Pens. */
    "CREATE TABLE devices ("
    " id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),"
    " batch BLOB NOT NULL CHECK (length(batch) = 16),"
    " position INTEGER NOT NULL CHECK (position >= 0),"
    " product BLOB NOT NULL CHECK (length(product) = 16),"
    " created_ms INTEGER NOT NULL,"
    " serial TEXT,"
    " confirmed_ms INTEGER,"
    " released_ms INTEGER,"
    " disputed INTEGER NOT NULL CHECK (disputed IN (0, 1)));"
    "CREATE INDEX devices_position ON devices (batch, position, created_ms, id);"
    "CREATE INDEX devices_batch ON devices (batch, id);"
    "CREATE INDEX devices_confirmed ON devices (batch) WHERE confirmed_ms IS NOT NULL;"
    "CREATE INDEX devices_released ON devices (batch) WHERE released_ms IS NOT NULL;"
    "CREATE INDEX devices_serial ON devices (serial, id) WHERE serial IS NOT NULL;"

    /* Key versions. `delivery` is the key under the station's transport key, until release. */
    "CREATE TABLE key_versions ("
    " id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),"
    " device BLOB NOT NULL CHECK (length(device) = 16),"
    " version INTEGER NOT NULL CHECK (version > 0),"
    " created_ms INTEGER NOT NULL,"
    " delivery BLOB,"
    " delivery_version INTEGER);"
    "CREATE INDEX key_versions_device ON key_versions (device, version, id);"

    /* Key versions as they are wrapped for keeping, with their bindings. `digest` is that of
       `wrapped` before it was erased. */
    "CREATE TABLE wrapped_keys ("
    " key BLOB NOT NULL CHECK (length(key) = 16),"
    " kek_version INTEGER NOT NULL,"
    " digest BLOB NOT NULL CHECK (length(digest) = 32),"
    " wrapped BLOB NOT NULL,"
    " check_value BLOB NOT NULL,"
    " mac BLOB NOT NULL,"
    " refused INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY (key, kek_version, digest));"

    /* Facts as the core or an orchestrator made them. `suspension` is zero where the kind has
       none. */
    "CREATE TABLE facts ("
    " key BLOB NOT NULL CHECK (length(key) = 16),"
    " kind INTEGER NOT NULL,"
    " suspension BLOB NOT NULL CHECK (length(suspension) = 16),"
    " time_ms INTEGER NOT NULL,"
    " record BLOB NOT NULL,"
    " mac BLOB NOT NULL,"
    " justification TEXT NOT NULL,"
    " PRIMARY KEY (key, kind, suspension));"
    "CREATE INDEX facts_time ON facts (time_ms, key, kind, suspension);"

    /* Transport keys of partners and stations. */
    "CREATE TABLE transport_keys ("
    " owner BLOB NOT NULL CHECK (length(owner) = 16),"
    " version INTEGER NOT NULL CHECK (version > 0),"
    " kek_version INTEGER NOT NULL,"
    " digest BLOB NOT NULL CHECK (length(digest) = 32),"
    " wrapped BLOB NOT NULL,"
    " check_value BLOB NOT NULL,"
    " mac BLOB NOT NULL,"
    " nonce BLOB NOT NULL,"
    " created_ms INTEGER NOT NULL,"
    " confirmed_ms INTEGER,"
    " refused INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY (owner, version, kek_version, digest));"

    /* The receipt log. A chain is (core, stream). */
    "CREATE TABLE receipts ("
    " core BLOB NOT NULL CHECK (length(core) = 16),"
    " stream BLOB NOT NULL CHECK (length(stream) = 16),"
    " seq INTEGER NOT NULL CHECK (seq > 0),"
    " id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),"
    " time_ms INTEGER NOT NULL,"
    " caller TEXT NOT NULL,"
    " record BLOB NOT NULL,"
    " head BLOB NOT NULL CHECK (length(head) = 32),"
    " PRIMARY KEY (core, stream, seq));"
    "CREATE INDEX receipts_time ON receipts (time_ms, id);"
    "CREATE INDEX receipts_caller ON receipts (caller, time_ms, id);"
    "CREATE TABLE receipt_devices ("
    " device BLOB NOT NULL CHECK (length(device) = 16),"
    " time_ms INTEGER NOT NULL,"
    " receipt BLOB NOT NULL REFERENCES receipts (id),"
    " PRIMARY KEY (device, time_ms, receipt));"

    /* Heads of chains, signed in the HSM. */
    "CREATE TABLE checkpoints ("
    " core BLOB NOT NULL CHECK (length(core) = 16),"
    " stream BLOB NOT NULL CHECK (length(stream) = 16),"
    " seq INTEGER NOT NULL,"
    " closed INTEGER NOT NULL,"
    " time_ms INTEGER NOT NULL,"
    " record BLOB NOT NULL,"
    " PRIMARY KEY (core, stream, seq, closed));"
    "CREATE INDEX checkpoints_time ON checkpoints (core, stream, time_ms);"

    /* Exactly once: what a request id did, and what was answered. `content` is what the id stands
       for. */
    "CREATE TABLE requests ("
    " caller TEXT NOT NULL,"
    " method INTEGER NOT NULL,"
    " request BLOB NOT NULL CHECK (length(request) = 16),"
    " first INTEGER NOT NULL,"
    " content BLOB NOT NULL CHECK (length(content) = 32),"
    " response BLOB NOT NULL,"
    " outcome BLOB NOT NULL,"
    " created_ms INTEGER NOT NULL,"
    " PRIMARY KEY (caller, method, request, first));";

static const char protections[] =
    /* Keys made here that no other cell is known to have yet (protection_table.h). */
    "CREATE TABLE protections ("
    " key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 16),"
    " lane BLOB NOT NULL CHECK (length(lane) = 16),"
    " seq INTEGER NOT NULL CHECK (seq > 0),"
    " since_ms INTEGER NOT NULL,"
    " record BLOB NOT NULL,"
    " mac BLOB NOT NULL);"
    "CREATE INDEX protections_lane ON protections (lane, seq, key);";

static const char kept[] =
    /* What we keep of other cells' receipt logs (kept_table.h), by "region/cell". `last` and `head` are its end here;
       `evidence` is an answer that contradicts it, as its giver signed it. */
    "CREATE TABLE kept_chains ("
    " place BLOB NOT NULL,"
    " core BLOB NOT NULL CHECK (length(core) = 16),"
    " stream BLOB NOT NULL CHECK (length(stream) = 16),"
    " last INTEGER NOT NULL,"
    " head BLOB NOT NULL CHECK (length(head) = 32),"
    " len INTEGER NOT NULL,"
    " forked INTEGER NOT NULL CHECK (forked IN (0, 1)),"
    " evidence BLOB,"
    " PRIMARY KEY (place, core, stream));"
    "CREATE TABLE kept_segments ("
    " place BLOB NOT NULL,"
    " core BLOB NOT NULL CHECK (length(core) = 16),"
    " stream BLOB NOT NULL CHECK (length(stream) = 16),"
    " last INTEGER NOT NULL CHECK (last > 0),"
    " record BLOB NOT NULL,"
    " PRIMARY KEY (place, core, stream, last));"
    /* How much is kept of what each store handed over, and of how many chains that it began. */
    "CREATE TABLE kept_stores ("
    " store BLOB NOT NULL PRIMARY KEY CHECK (length(store) = 16),"
    " len INTEGER NOT NULL,"
    " chains INTEGER NOT NULL);";

const struct kw_migration kw_orch_migrations[] = {
    {.name = "0001_initial", .sql = initial},
    {.name = "0002_feed", .sql = kw_feed_schema},
    {.name = "0003_protections", .sql = protections},
    {.name = "0004_kept_receipts", .sql = kept},
};

const size_t kw_orch_migration_count = sizeof(kw_orch_migrations) / sizeof(kw_orch_migrations[0]);
