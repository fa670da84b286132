/* The schema's history. Migrations that are out never change; new ones are added at the end.
 *
 * The rows that cells share are in the feed's tables, as merged records. Most tables here are an index over
 * them, written by each table's `project` and by nothing else; rows come in any order, so none refers to
 * another. Officers, audit, denials and witness are this cell's own.
 */
#include "services/authz/schema.h"

#include "common/feed/feed.h"

static const char initial[] =
    /* Partners (kind 1) and stations (kind 2). `regions` is a comma-separated list, `products` ids one
     * after the other, `revoke_all` a version vector. */
    "CREATE TABLE members ("
    " id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),"
    " kind INTEGER NOT NULL CHECK (kind IN (1, 2)),"
    " display_name TEXT NOT NULL,"
    " contact TEXT NOT NULL,"
    " location TEXT NOT NULL,"
    " regions TEXT NOT NULL,"
    " products BLOB NOT NULL,"
    " epoch INTEGER NOT NULL CHECK (epoch > 0),"
    " created_ms INTEGER NOT NULL,"
    " updated_ms INTEGER NOT NULL,"
    " suspended INTEGER NOT NULL,"
    " revoke_all BLOB NOT NULL,"
    " transport_version INTEGER NOT NULL,"
    " confirmed_version INTEGER NOT NULL,"
    " certificate_expire_ms INTEGER NOT NULL);"
    "CREATE INDEX members_kind ON members (kind, id);"

    /* Whose certificate this is. `role` is a bit of enum kw_caller_role; `revoked` is for good,
     * `stopped` is that or on hold. */
    "CREATE TABLE certificates ("
    " fingerprint BLOB NOT NULL PRIMARY KEY CHECK (length(fingerprint) = 32),"
    " name TEXT NOT NULL,"
    " role INTEGER NOT NULL,"
    " owner BLOB NOT NULL CHECK (length(owner) = 16),"
    " start_ms INTEGER NOT NULL,"
    " expire_ms INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL,"
    " revoked INTEGER NOT NULL,"
    " stopped INTEGER NOT NULL);"
    "CREATE INDEX certificates_owner ON certificates (owner, fingerprint);"

    /* The officers that this cell's directories listed at its last start. */
    "CREATE TABLE officers ("
    " fingerprint BLOB NOT NULL PRIMARY KEY CHECK (length(fingerprint) = 32));"

    /* Invitations: the operator's signed request (KWI1), an enrolment that claimed it, the first answer
     * and its receipt. */
    "CREATE TABLE invitations ("
    " id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),"
    " member BLOB NOT NULL CHECK (length(member) = 16),"
    " record BLOB NOT NULL,"
    " created_ms INTEGER NOT NULL,"
    " expire_ms INTEGER NOT NULL,"
    " enrolment BLOB CHECK (enrolment IS NULL OR length(enrolment) = 32),"
    " response BLOB,"
    " receipt BLOB,"
    " held INTEGER NOT NULL,"
    " ended INTEGER NOT NULL);"
    "CREATE INDEX invitations_member ON invitations (member, id);"

    /* Permissions. scope 1 named devices, 2 batch, 3 product; `operations` is a set of bits; an
     * empty `regions` means all, max_operations 0 no quota, window_ms 0 the grant's whole life. `seen` is
     * the partner's revoke_all as its maker knew it, `overruled` that it did not know all of it. */
    "CREATE TABLE grants ("
    " id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),"
    " partner BLOB NOT NULL CHECK (length(partner) = 16),"
    " scope INTEGER NOT NULL CHECK (scope IN (1, 2, 3)),"
    " scope_id BLOB NOT NULL CHECK (length(scope_id) = 16),"
    " operations INTEGER NOT NULL,"
    " purpose TEXT NOT NULL,"
    " start_ms INTEGER NOT NULL,"
    " end_ms INTEGER NOT NULL,"
    " max_operations INTEGER NOT NULL,"
    " window_ms INTEGER NOT NULL,"
    " regions TEXT NOT NULL,"
    " strict INTEGER NOT NULL,"
    " no_cache INTEGER NOT NULL,"
    " justification TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL,"
    " seen BLOB NOT NULL,"
    " revoked_ms INTEGER,"
    " revoke_justification TEXT,"
    " overruled INTEGER NOT NULL);"
    "CREATE INDEX grants_partner ON grants (partner, scope, id);"
    "CREATE TABLE grant_devices ("
    " device BLOB NOT NULL CHECK (length(device) = 16),"
    " grant_id BLOB NOT NULL CHECK (length(grant_id) = 16),"
    " PRIMARY KEY (device, grant_id));"
    "CREATE INDEX grant_devices_grant ON grant_devices (grant_id, device);"

    /* How much of a quota is used: written now and then, of the newest window alone. `counts` is a version
     * vector, by instance; `used` their sum. */
    "CREATE TABLE quotas ("
    " grant_id BLOB NOT NULL PRIMARY KEY CHECK (length(grant_id) = 16),"
    " window_start_ms INTEGER NOT NULL,"
    " used INTEGER NOT NULL,"
    " counts BLOB NOT NULL);"

    /* Exactly once: what a request id did first, and what was answered. */
    "CREATE TABLE requests ("
    " caller BLOB NOT NULL CHECK (length(caller) = 16),"
    " method INTEGER NOT NULL,"
    " request BLOB NOT NULL CHECK (length(request) = 16),"
    " body_hash BLOB NOT NULL CHECK (length(body_hash) = 32),"
    " response BLOB NOT NULL,"
    " created_ms INTEGER NOT NULL,"
    " PRIMARY KEY (caller, method, request));"

    /* Every change made here, with the signed request it was made by. */
    "CREATE TABLE audit ("
    " seq INTEGER PRIMARY KEY,"
    " time_ms INTEGER NOT NULL,"
    " caller TEXT NOT NULL,"
    " certificate BLOB NOT NULL,"
    " peer TEXT NOT NULL,"
    " method INTEGER NOT NULL,"
    " subject TEXT NOT NULL,"
    " body BLOB NOT NULL,"
    " signature BLOB NOT NULL);"

    /* What was refused, numbered without gaps within one boot; `times` above 1 is a summary. */
    "CREATE TABLE denials ("
    " boot BLOB NOT NULL CHECK (length(boot) = 16),"
    " seq INTEGER NOT NULL CHECK (seq > 0),"
    " time_ms INTEGER NOT NULL,"
    " fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),"
    " caller TEXT NOT NULL,"
    " peer TEXT NOT NULL,"
    " method INTEGER NOT NULL,"
    " reason TEXT NOT NULL,"
    " detail TEXT NOT NULL,"
    " times INTEGER NOT NULL,"
    " PRIMARY KEY (boot, seq));"

    /* Authz's own copy of disabling facts (KWF1), so that the orchestrator can't forget one. */
    "CREATE TABLE disabling_facts ("
    " device BLOB NOT NULL CHECK (length(device) = 16),"
    " key BLOB NOT NULL CHECK (length(key) = 16),"
    " kind INTEGER NOT NULL,"
    " suspension BLOB NOT NULL CHECK (length(suspension) = 16),"
    " record BLOB NOT NULL,"
    " PRIMARY KEY (device, key, kind, suspension));"

    /* The last receipt head seen of each chain. */
    "CREATE TABLE witness ("
    " core BLOB NOT NULL CHECK (length(core) = 16),"
    " stream BLOB NOT NULL CHECK (length(stream) = 16),"
    " seq INTEGER NOT NULL,"
    " head BLOB NOT NULL CHECK (length(head) = 32),"
    " time_ms INTEGER NOT NULL,"
    " PRIMARY KEY (core, stream));";

const struct kw_migration kw_authz_migrations[] = {
    {.name = "0001_initial", .sql = initial},
    {.name = "0002_feed", .sql = kw_feed_schema},
};

const size_t kw_authz_migration_count =
    sizeof(kw_authz_migrations) / sizeof(kw_authz_migrations[0]);
