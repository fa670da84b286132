/* The schema's history. Migrations that are out never change; new ones are added at the end.
 *
 * Prepared for merging with other cells: what can change on a row comes in field groups, each with a
 * stamp (hybrid clock, store); disabling facts, certificates and grants are immutable but for
 * columns that are set once.
 */
#include "services/authz/schema.h"

#include "common/feed/feed.h"

static const char initial[] =
    /* Partners (kind 1) and stations (kind 2). Field groups: standing (suspended), keys (the rest
     * that changes). `regions` is a comma-separated list, `products` ids one after the other. */
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
    " suspended INTEGER NOT NULL DEFAULT 0,"
    " standing_hlc INTEGER NOT NULL,"
    " standing_store BLOB NOT NULL,"
    " transport_version INTEGER NOT NULL DEFAULT 0,"
    " confirmed_version INTEGER NOT NULL DEFAULT 0,"
    " certificate_expire_ms INTEGER NOT NULL DEFAULT 0,"
    " keys_hlc INTEGER NOT NULL,"
    " keys_store BLOB NOT NULL);"
    "CREATE INDEX members_kind ON members (kind, id);"

    /* Whose certificate this is. `role` is a bit of enum kw_caller_role; revocation is final. */
    "CREATE TABLE certificates ("
    " fingerprint BLOB NOT NULL PRIMARY KEY CHECK (length(fingerprint) = 32),"
    " name TEXT NOT NULL,"
    " role INTEGER NOT NULL,"
    " owner BLOB NOT NULL CHECK (length(owner) = 16),"
    " start_ms INTEGER NOT NULL,"
    " expire_ms INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL,"
    " revoked_ms INTEGER);"
    "CREATE INDEX certificates_owner ON certificates (owner);"

    /* Invitations: the operator's signed request (KWI1), the enrolment that claimed it, its answer.
     */
    "CREATE TABLE invitations ("
    " id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),"
    " member BLOB NOT NULL REFERENCES members (id),"
    " record BLOB NOT NULL,"
    " created_ms INTEGER NOT NULL,"
    " expire_ms INTEGER NOT NULL,"
    " enrolment BLOB CHECK (enrolment IS NULL OR length(enrolment) = 32),"
    " response BLOB,"
    " held_ms INTEGER);"

    /* Permissions. scope 1 named devices, 2 batch, 3 product; `operations` is a set of bits; an
     * empty `regions` means all, max_operations 0 no quota, window_ms 0 the grant's whole life. */
    "CREATE TABLE grants ("
    " id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),"
    " partner BLOB NOT NULL REFERENCES members (id),"
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
    " store BLOB NOT NULL,"
    " revoked_ms INTEGER,"
    " revoke_justification TEXT);"
    "CREATE INDEX grants_partner ON grants (partner, scope, id);"
    "CREATE TABLE grant_devices ("
    " device BLOB NOT NULL CHECK (length(device) = 16),"
    " grant_id BLOB NOT NULL REFERENCES grants (id),"
    " PRIMARY KEY (device, grant_id));"
    "CREATE INDEX grant_devices_grant ON grant_devices (grant_id, device);"

    /* How much of a quota is used: written now and then, of the present window alone. */
    "CREATE TABLE quotas ("
    " grant_id BLOB NOT NULL PRIMARY KEY REFERENCES grants (id),"
    " window_start_ms INTEGER NOT NULL,"
    " used INTEGER NOT NULL);"

    /* Exactly once: what a request id did, and what was answered. */
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
    " store BLOB NOT NULL,"
    " PRIMARY KEY (device, key, kind, suspension));"

    /* The last receipt head seen of each chain. */
    "CREATE TABLE witness ("
    " core BLOB NOT NULL CHECK (length(core) = 16),"
    " stream BLOB NOT NULL CHECK (length(stream) = 16),"
    " seq INTEGER NOT NULL,"
    " head BLOB NOT NULL CHECK (length(head) = 32),"
    " time_ms INTEGER NOT NULL,"
    " PRIMARY KEY (core, stream));";

/* An invitation is over when its member has enrolled under a later one. */
static const char invitations_end[] = "ALTER TABLE invitations ADD COLUMN ended_ms INTEGER;";

static const char invitations_receipt[] = "ALTER TABLE invitations ADD COLUMN receipt BLOB;";

const struct kw_migration kw_authz_migrations[] = {
    {.name = "0001_initial", .sql = initial},
    {.name = "0002_invitations_end", .sql = invitations_end},
    {.name = "0003_invitations_receipt", .sql = invitations_receipt},
    {.name = "0004_feed", .sql = kw_feed_schema},
};

const size_t kw_authz_migration_count =
    sizeof(kw_authz_migrations) / sizeof(kw_authz_migrations[0]);
