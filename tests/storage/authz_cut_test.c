/* Authz's tables under power cuts, written as its calls write them: effect, request id and audit entry
 * in one transaction; disabling facts; denials with their dense numbers and witnessed heads. */
#include "services/authz/audit_table.h"
#include "services/authz/denial_table.h"
#include "services/authz/disabled_table.h"
#include "services/authz/feed_tables.h"
#include "services/authz/grant_table.h"
#include "services/authz/member_table.h"
#include "services/authz/request_table.h"
#include "services/authz/schema.h"
#include "services/authz/witness_table.h"
#include "tests/support/cut_drill.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define OPS     48
#define METHOD  40
#define DEVICES 4 /* of a grant */

enum kind {
    MEMBER, /* and its first grant */
    REVOKES,
    DISABLES,
    DIARY, /* a denial and a head, without request id */
    KINDS
};

static struct kw_feed feed;
static const struct kw_id boot = {{6}};

static enum kind kind_of(uint32_t op)
{
    return (enum kind)((op + 3) % KINDS);
}

static struct kw_id id_of(uint8_t kind, uint32_t number)
{
    return (struct kw_id){{kind, (uint8_t)(number >> 8), (uint8_t)number, 1}};
}

/* Of the operation whose grant this one is about. */
static uint32_t grant_before(uint32_t op)
{
    while (kind_of(op) != MEMBER) {
        op--;
    }
    return op;
}

static bool refuses(uint32_t op)
{
    return kind_of(op) == MEMBER && op % 3 == 0;
}

/* --- doing --- */

static struct kw_result put_member(const struct kw_feed_tx *feed_tx, uint32_t op,
                                   struct kw_error *err)
{
    const struct kw_member_row member = {.id = id_of(1, op),
                                         .kind = KW_MEMBER_PARTNER,
                                         .display_name = "Acme",
                                         .contact = "a@acme.example",
                                         .location = "",
                                         .regions = "",
                                         .epoch = 1,
                                         .created_ms = op};
    const struct kw_grant_row grant = {.id = id_of(2, op),
                                       .partner = member.id,
                                       .scope = KW_SCOPE_BODY,
                                       .operations = KW_GRANT_RELEASE,
                                       .purpose = "care",
                                       .start_ms = 1,
                                       .end_ms = 1000000,
                                       .regions = "",
                                       .justification = "",
                                       .created_ms = op,
                                       .revoke_justification = ""};
    struct kw_id devices[DEVICES];

    for (uint32_t i = 0; i < DEVICES; i++) {
        devices[i] = id_of(3, op * DEVICES + i);
    }
    KW_TRY(kw_member_insert(feed_tx, &member, err));
    return kw_grant_insert(feed_tx, &grant, devices, DEVICES, err);
}

static struct kw_result put_disabled(const struct kw_feed_tx *feed_tx, uint32_t op,
                                     struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    const struct kw_fact fact = {.key = id_of(4, op),
                                 .kind = KW_FACT_COMPROMISED,
                                 .time_ms = op,
                                 .capsule = id_of(5, op),
                                 .actor = kw_bytes_str("spiffe://test/operator/opr_a")};

    KW_TRY(kw_fact_encode(&fact, &record, err));
    return kw_disabled_insert(feed_tx, id_of(3, op), kw_buf_bytes(&record), err);
}

/* The n-th page has the n-th number. */
static struct kw_result put_diary(struct kw_tx *tx, uint32_t op, struct kw_error *err)
{
    struct kw_denial denial = {.seq = op, .time_ms = op, .method = METHOD, .times = 1};
    struct kw_witness head = {.core = id_of(7, 0), .stream = id_of(8, 0), .seq = op};
    int64_t there;

    (void)snprintf(denial.reason, sizeof(denial.reason), "NOT_FOUND");
    KW_TRY(cut_number(tx, "SELECT count(*) FROM denials WHERE seq = $1", op, &there, err));
    if (there == 0) { /* the diary's page is written once; the drill asks again */
        KW_TRY(kw_denial_insert(tx, &boot, &denial, err));
    }
    return kw_witness_store(tx, &head, op, err);
}

/* Each time, as after a restart: what is in memory is none the wiser. */
static struct kw_result feed_open(struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_feed_options options = {.mesh = {{1}},
                                            .store = {{5}},
                                            .tables = kw_authz_feed_tables,
                                            .table_count = kw_authz_feed_table_count};

    return kw_feed_open(&feed, &options, tx, 77, err);
}

static struct kw_result put_effect(const struct kw_feed_tx *feed_tx, uint32_t op,
                                   struct kw_error *err)
{
    switch (kind_of(op)) {
    case MEMBER:
        return put_member(feed_tx, op, err);
    case REVOKES:
        return kw_grant_revoke(feed_tx, id_of(2, grant_before(op)), op, "over", err);
    case DISABLES:
        return put_disabled(feed_tx, op, err);
    case DIARY:
    case KINDS:
        break;
    }
    return put_diary(feed_tx->tx, op, err);
}

static struct kw_result put_evidence(const struct kw_feed_tx *feed_tx, uint32_t op,
                                     const struct kw_request_key *key, struct kw_error *err)
{
    const struct kw_request_row row = {.response = kw_bytes_str("an answer"), .created_ms = op};
    char subject[32];
    const struct kw_audit_entry entry = {.time_ms = op,
                                         .caller = "spiffe://test/operator/opr_a",
                                         .peer = "127.0.0.1",
                                         .method = METHOD,
                                         .subject = subject};

    (void)snprintf(subject, sizeof(subject), "op/%u", op);
    KW_TRY(kw_request_insert(feed_tx, key, &row, err));
    return kw_audit_insert(feed_tx->tx, &entry, err);
}

static struct kw_result apply(struct kw_tx *tx, uint32_t op, struct kw_arena *arena,
                              struct kw_error *err)
{
    const struct kw_request_key key = {id_of(9, 0), METHOD, id_of(10, op)};
    const struct kw_feed_tx feed_tx = {&feed, tx, arena, op};
    struct kw_request_row row;
    bool found = false;

    if (kind_of(op) == DIARY) {
        return put_diary(tx, op, err);
    }
    KW_TRY(feed_open(tx, err));
    KW_TRY(kw_request_find(tx, &key, arena, &row, &found, err));
    if (found) {
        return KW_OK;
    }
    KW_TRY(put_effect(&feed_tx, op, err));
    KW_TRY(put_evidence(&feed_tx, op, &key, err));
    KW_ENSURE(!refuses(op), err, ARGUMENT_INVALID, "as the drill wants it");
    return KW_OK;
}

/* --- looking --- */

static struct kw_result count_effect(struct kw_tx *tx, uint32_t op, struct kw_arena *arena,
                                     int64_t *count, struct kw_error *err)
{
    struct kw_grant_row grant;
    struct kw_id *devices;
    size_t device_count;
    uint32_t facts;
    bool found;

    switch (kind_of(op)) {
    case MEMBER:
        KW_TRY(kw_grant_devices(tx, id_of(2, op), arena, &devices, &device_count, err));
        *count += device_count == DEVICES ? 1 : 2 * (device_count != 0);
        return KW_OK;
    case REVOKES:
        KW_TRY(kw_grant_find(tx, id_of(2, grant_before(op)), arena, &grant, &found, err));
        *count += found && grant.revoked_ms == op ? 1 : 0;
        return KW_OK;
    case DISABLES:
        KW_TRY(kw_disabled_count(tx, id_of(3, op), &facts, err));
        *count += facts;
        return KW_OK;
    case DIARY:
    case KINDS:
        break;
    }
    return cut_number(tx, "SELECT count(*) FROM denials WHERE seq = $1", op, count, err);
}

static struct kw_result count_audit(struct kw_tx *tx, uint32_t op, int64_t *count,
                                    struct kw_error *err)
{
    int64_t there;

    KW_TRY(cut_number(tx, "SELECT count(*) FROM audit WHERE time_ms = $1", op, &there, err));
    *count += there;
    return KW_OK;
}

/* Effect, request, audit entry; a grant that was refused can't be revoked. */
static int64_t due(uint32_t op)
{
    switch (kind_of(op)) {
    case REVOKES:
        return refuses(grant_before(op)) ? 2 : 3;
    case DIARY:
        return 1;
    case MEMBER:
    case DISABLES:
    case KINDS:
        break;
    }
    return 3;
}

static struct kw_result look(struct kw_tx *tx, uint32_t op, struct kw_arena *arena,
                             enum cut_found *ret_found, struct kw_error *err)
{
    const struct kw_request_key key = {id_of(9, 0), METHOD, id_of(10, op)};
    struct kw_request_row row;
    int64_t there = 0;
    bool found;

    KW_TRY(count_effect(tx, op, arena, &there, err));
    KW_TRY(kw_request_find(tx, &key, arena, &row, &found, err));
    there += found ? 1 : 0;
    KW_TRY(count_audit(tx, op, &there, err));
    *ret_found = cut_found_of(there, due(op));
    return KW_OK;
}

/* No change without its audit entry, and the witness is never ahead of its page. */
static struct kw_result check(struct kw_tx *tx, struct kw_arena *arena, struct kw_error *err)
{
    struct kw_witness witness;
    int64_t changes;
    int64_t entries;
    int64_t last;

    (void)arena;
    KW_TRY(cut_number(tx, "SELECT count(*) FROM requests WHERE $1 = 0", 0, &changes, err));
    KW_TRY(cut_number(tx, "SELECT count(*) FROM audit WHERE $1 = 0", 0, &entries, err));
    KW_ENSURE(changes == entries, err, INTERNAL, "%lld changes, %lld audit entries",
              (long long)changes, (long long)entries);
    KW_TRY(cut_number(tx, "SELECT ifnull(max(seq), 0) FROM denials WHERE $1 = 0", 0, &last, err));
    KW_TRY(kw_witness_load(tx, &witness, err));
    KW_ENSURE((int64_t)witness.seq == last, err, INTERNAL, "the witness is not of the last page");
    return KW_OK;
}

static struct cut_workload workload(void)
{
    return (struct cut_workload){
        .name = "authz",
        .migrations = kw_authz_migrations,
        .migration_count = kw_authz_migration_count,
        .ops = OPS,
        .steps = 900,
        .syncs = 40,
        .refuses = refuses,
        .apply = apply,
        .look = look,
        .check = check,
    };
}

Test(authz_cut, loses_nothing_that_it_acknowledged, .timeout = 1100)
{
    const struct cut_workload tables = workload();

    cut_drill_loses_nothing(&tables, 10);
}

Test(authz_cut, a_disk_that_lies_is_found_out, .timeout = 550)
{
    const struct cut_workload tables = workload();

    cut_drill_finds_lies(&tables, 40);
}
