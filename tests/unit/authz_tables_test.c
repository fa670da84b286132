/* Authz's tables on a real database: each SQL statement does what its header says. */
#include "common/feed/instance.h"
#include "services/authz/audit_table.h"
#include "services/authz/certificate_table.h"
#include "services/authz/denial_table.h"
#include "services/authz/disabled_table.h"
#include "services/authz/feed_tables.h"
#include "services/authz/grant_table.h"
#include "services/authz/invitation_table.h"
#include "services/authz/member_table.h"
#include "services/authz/officers.h"
#include "services/authz/quota_table.h"
#include "services/authz/request_table.h"
#include "services/authz/schema.h"
#include "services/authz/witness_table.h"
#include "tests/support/store_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct store_fixture store;
static struct kw_arena *arena;

/* Runs a function in one write transaction; it asserts for itself. */
static void in_tx(STORE_TEST_RUN((*run)))
{
    struct store_test_job job = store_test_job(&store, run, 0, NULL);
    struct kw_result result = store_test_write(&job);

    cr_assert(kw_ok(result), "%s", job.job.error.message);
}

static struct kw_id id_of(uint8_t fill)
{
    struct kw_id id;

    memset(id.bytes, fill, sizeof(id.bytes));
    return id;
}

/* --- the feed, which all of it is said to --- */

static struct kw_feed feed;

static STORE_TEST_RUN(open_feed)
{
    const struct kw_feed_options options = {.mesh = {{1}},
                                            .store = kw_store_id(store.store),
                                            .tables = kw_authz_feed_tables,
                                            .table_count = kw_authz_feed_table_count};

    (void)job;
    return kw_feed_open(&feed, &options, tx, 77, err);
}

static struct kw_feed_tx feed_of(struct kw_tx *tx)
{
    return (struct kw_feed_tx){.feed = &feed, .tx = tx, .arena = arena, .wall_ms = 77};
}

static void init(void)
{
    store_fixture_init(&store);
    cr_assert(
        kw_ok(store_fixture_open(&store, kw_authz_migrations, kw_authz_migration_count, NULL)));
    arena = kw_arena_new(64U << 20);
    in_tx(open_feed);
}

static void done(void)
{
    kw_arena_free(arena);
    store_fixture_close(&store);
    store_fixture_done(&store);
}

TestSuite(authz_tables, .init = init, .fini = done);

/* --- the schema --- */

Test(authz_tables, the_schema_opens_again_as_it_was_left)
{
    store_fixture_close(&store);
    cr_assert(
        kw_ok(store_fixture_open(&store, kw_authz_migrations, kw_authz_migration_count, NULL)));
}

Test(authz_tables, a_migration_that_was_changed_is_refused)
{
    struct kw_migration changed[8];
    struct kw_error error = {0};

    cr_assert(le(sz, kw_authz_migration_count, 8));
    memcpy(changed, kw_authz_migrations, kw_authz_migration_count * sizeof(changed[0]));
    changed[0].sql = "CREATE TABLE members (only INTEGER)";
    store_fixture_close(&store);
    cr_assert(eq(int, store_fixture_open(&store, changed, kw_authz_migration_count, &error).reason,
                 KW_E_CONFIG_INVALID));
}

/* --- members --- */

static struct kw_member_row a_member(uint8_t fill, enum kw_member_kind kind)
{
    static const uint8_t products[32] = {9};

    return (struct kw_member_row){.id = id_of(fill),
                                  .kind = kind,
                                  .display_name = "Acme",
                                  .contact = "a@acme.example",
                                  .location = "Hall 4",
                                  .regions = "eu-1,us-1",
                                  .products = KW_BYTES_OF(products),
                                  .epoch = 1,
                                  .created_ms = 100};
}

static struct kw_member_row member_of(struct kw_tx *tx, uint8_t fill)
{
    struct kw_member_row row = {0};
    bool found = false;

    cr_assert(kw_ok(kw_member_find(tx, id_of(fill), arena, &row, &found, NULL)));
    cr_assert(found);
    return row;
}

static STORE_TEST_RUN(members_come_back)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    const struct kw_member_row in = a_member(1, KW_MEMBER_STATION);
    struct kw_member_row out;
    bool found = true;

    (void)job;
    KW_TRY(kw_member_insert(&feed_tx, &in, err));
    out = member_of(tx, 1);
    cr_assert(eq(int, out.kind, KW_MEMBER_STATION));
    cr_assert(eq(int, out.state, KW_MEMBER_INVITED));
    cr_assert(eq(str, (char *)out.display_name, "Acme"));
    cr_assert(eq(str, (char *)out.contact, "a@acme.example"));
    cr_assert(eq(str, (char *)out.location, "Hall 4"));
    cr_assert(eq(str, (char *)out.regions, "eu-1,us-1"));
    cr_assert(kw_bytes_equal(out.products, in.products));
    cr_assert(eq(u32, out.epoch, 1));
    cr_assert(eq(u64, out.created_ms, 100));
    cr_assert(eq(u64, out.updated_ms, 100));
    cr_assert(not(out.suspended));
    KW_TRY(kw_member_find(tx, id_of(2), arena, &out, &found, err));
    cr_assert(not(found));
    return KW_OK;
}

Test(authz_tables, a_member_comes_back_as_it_was_put)
{
    in_tx(members_come_back);
}

static STORE_TEST_RUN(members_change)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    const struct kw_member_row in = a_member(1, KW_MEMBER_PARTNER);
    const struct kw_member_keys enrolled = {.transport_version = 2, .certificate_expire_ms = 50};
    const struct kw_member_keys confirmed = {.confirmed_version = 2};
    const struct kw_member_keys older = {
        .transport_version = 1, .confirmed_version = 1, .certificate_expire_ms = 40};
    struct kw_member_row row;

    (void)job;
    KW_TRY(kw_member_insert(&feed_tx, &in, err));
    KW_TRY(kw_member_raise_keys(&feed_tx, in.id, &enrolled, 200, err));
    cr_assert(eq(int, member_of(tx, 1).state, KW_MEMBER_ENROLLED));
    KW_TRY(kw_member_raise_keys(&feed_tx, in.id, &confirmed, 300, err));
    cr_assert(eq(int, member_of(tx, 1).state, KW_MEMBER_ACTIVE));
    KW_TRY(kw_member_raise_keys(&feed_tx, in.id, &older, 400, err)); /* only grows */
    row = member_of(tx, 1);
    cr_assert(row.transport_version == 2 && row.confirmed_version == 2);
    cr_assert(eq(u64, row.certificate_expire_ms, 50));
    cr_assert(eq(u64, row.updated_ms, 300));
    KW_TRY(kw_member_suspend(&feed_tx, in.id, id_of(70), 500, err));
    cr_assert(eq(int, member_of(tx, 1).state, KW_MEMBER_SUSPENDED));
    KW_TRY(kw_member_reinstate(&feed_tx, in.id, 600, err));
    cr_assert(eq(int, member_of(tx, 1).state, KW_MEMBER_ACTIVE));
    cr_assert(eq(u64, member_of(tx, 1).updated_ms, 600));
    return KW_OK;
}

Test(authz_tables, a_members_versions_only_grow_and_its_state_follows)
{
    in_tx(members_change);
}

static STORE_TEST_RUN(members_list)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    struct kw_member_query query = {.kind = KW_MEMBER_PARTNER, .max = 2};
    struct kw_member_row rows[4];
    size_t count;

    (void)job;
    for (uint8_t i = 1; i <= 4; i++) {
        const struct kw_member_row in = a_member(i, i == 2 ? KW_MEMBER_STATION : KW_MEMBER_PARTNER);

        KW_TRY(kw_member_insert(&feed_tx, &in, err));
    }
    KW_TRY(kw_member_suspend(&feed_tx, id_of(3), id_of(70), 1, err));
    KW_TRY(kw_member_list(tx, &query, arena, rows, &count, err));
    cr_assert(count == 2 && rows[0].id.bytes[0] == 1 && rows[1].id.bytes[0] == 3);
    query.after = rows[1].id;
    KW_TRY(kw_member_list(tx, &query, arena, rows, &count, err));
    cr_assert(count == 1 && rows[0].id.bytes[0] == 4);
    query =
        (struct kw_member_query){.kind = KW_MEMBER_PARTNER, .state = KW_MEMBER_SUSPENDED, .max = 4};
    KW_TRY(kw_member_list(tx, &query, arena, rows, &count, err));
    cr_assert(count == 1 && rows[0].id.bytes[0] == 3);
    return KW_OK;
}

Test(authz_tables, members_are_listed_by_kind_and_state_page_by_page)
{
    in_tx(members_list);
}

/* --- certificates --- */

static struct kw_certificate_row a_certificate(uint8_t fill, enum kw_caller_role role)
{
    struct kw_certificate_row row = {.name = "",
                                     .role = role,
                                     .owner = id_of(fill),
                                     .start_ms = 1,
                                     .expire_ms = 2,
                                     .created_ms = 3};

    memset(row.fingerprint, fill, sizeof(row.fingerprint));
    return row;
}

static STORE_TEST_RUN(certificates_are_revoked)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    struct kw_certificate_row in = a_certificate(1, KW_CALLER_PARTNER);
    struct kw_certificate_row out = {0};
    bool found = false;

    (void)job;
    KW_TRY(kw_certificate_insert(&feed_tx, &in, err));
    KW_TRY(kw_certificate_find(tx, in.fingerprint, &out, &found, err));
    cr_assert(found && !out.revoked && out.role == KW_CALLER_PARTNER);
    cr_assert(kw_id_equal(out.owner, in.owner));
    cr_assert(out.start_ms == 1 && out.expire_ms == 2 && out.created_ms == 3);
    KW_TRY(kw_certificate_revoke(&feed_tx, in.fingerprint, 9, err));
    in.owner.bytes[0] = 0; /* lower: not what merging alone would keep out */
    KW_TRY(kw_certificate_insert(&feed_tx, &in, err)); /* registering it again changes nothing */
    KW_TRY(kw_certificate_find(tx, in.fingerprint, &out, &found, err));
    cr_assert(found && out.revoked && out.owner.bytes[0] == 1);
    in.fingerprint[0] ^= 1;
    KW_TRY(kw_certificate_find(tx, in.fingerprint, &out, &found, err));
    cr_assert(not(found));
    return KW_OK;
}

Test(authz_tables, a_certificate_is_revoked_for_good)
{
    in_tx(certificates_are_revoked);
}

/* --- officers --- */

static bool is_revoked(struct kw_tx *tx, uint8_t fill)
{
    const struct kw_certificate_row row = a_certificate(fill, KW_CALLER_OPERATOR);
    struct kw_certificate_row out = {0};
    bool found = false;

    cr_assert(kw_ok(kw_certificate_find(tx, row.fingerprint, &out, &found, NULL)));
    return found && out.revoked;
}

static STORE_TEST_RUN(officers_follow_the_list)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    struct kw_certificate_row rows[2] = {a_certificate(1, KW_CALLER_OPERATOR),
                                         a_certificate(2, KW_CALLER_AUDITOR)};
    const struct kw_officers both = {.rows = rows, .count = 2};
    const struct kw_officers second = {.rows = rows + 1, .count = 1};
    const struct kw_certificate_row partner = a_certificate(3, KW_CALLER_PARTNER);

    (void)job;
    KW_TRY(kw_certificate_insert(&feed_tx, &partner, err));
    KW_TRY(kw_officers_register(&both, 10, &feed_tx, err));
    cr_assert(not(is_revoked(tx, 1)));
    cr_assert(not(is_revoked(tx, 2)));
    KW_TRY(kw_officers_register(&second, 20, &feed_tx, err));
    cr_assert(is_revoked(tx, 1) && !is_revoked(tx, 2) && !is_revoked(tx, 3));
    cr_assert(eq(int, kw_officers_register(&both, 30, &feed_tx, err).reason, KW_E_CONFIG_INVALID));
    return KW_OK;
}

Test(authz_tables, officers_no_longer_listed_are_revoked_and_do_not_come_back)
{
    in_tx(officers_follow_the_list);
}

static STORE_TEST_RUN(many_officers_leave)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    struct kw_certificate_row rows[200];
    const struct kw_officers all = {.rows = rows, .count = 200};
    const struct kw_officers nobody = {0};

    (void)job;
    for (unsigned i = 0; i < 200; i++) {
        rows[i] = a_certificate((uint8_t)(i + 1), KW_CALLER_OPERATOR);
    }
    KW_TRY(kw_officers_register(&all, 10, &feed_tx, err));
    KW_TRY(kw_officers_register(&nobody, 20, &feed_tx, err));
    for (unsigned i = 1; i <= 200; i++) {
        cr_assert(is_revoked(tx, (uint8_t)i), "%u", i);
    }
    return KW_OK;
}

/* They came by the feed: their own cell has them in its directories. */
static STORE_TEST_RUN(officers_of_other_cells)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    const struct kw_certificate_row theirs = a_certificate(1, KW_CALLER_OPERATOR);
    const struct kw_officers nobody = {0};

    (void)job;
    KW_TRY(kw_certificate_insert(&feed_tx, &theirs, err));
    KW_TRY(kw_officers_register(&nobody, 20, &feed_tx, err));
    cr_assert(not(is_revoked(tx, 1)));
    return KW_OK;
}

Test(authz_tables, officers_that_another_cell_lists_are_not_ours_to_revoke)
{
    in_tx(officers_of_other_cells);
}

Test(authz_tables, however_many_officers_left_all_are_revoked)
{
    in_tx(many_officers_leave);
}

/* --- invitations --- */

static struct kw_invitation_row invitation_of(struct kw_tx *tx)
{
    struct kw_invitation_row row = {0};
    bool found = false;

    cr_assert(kw_ok(kw_invitation_find(tx, id_of(1), arena, &row, &found, NULL)));
    cr_assert(found);
    return row;
}

static STORE_TEST_RUN(invitations_are_claimed_once)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    const struct kw_member_row member = a_member(9, KW_MEMBER_PARTNER);
    const struct kw_invitation_row in = {.id = id_of(1),
                                         .member = id_of(9),
                                         .record = kw_bytes_str("KWI1"),
                                         .created_ms = 1,
                                         .expire_ms = 2};
    static const uint8_t first[KW_SHA256_LEN] = {1};
    static const uint8_t second[KW_SHA256_LEN] = {2};
    struct kw_invitation_row row;

    (void)job;
    KW_TRY(kw_member_insert(&feed_tx, &member, err));
    KW_TRY(kw_invitation_insert(&feed_tx, &in, err));
    row = invitation_of(tx);
    cr_assert(row.expire_ms == 2 && row.response.len == 0 && !row.claimed && !row.held);
    cr_assert(kw_bytes_equal(row.record, in.record) && kw_id_equal(row.member, in.member));
    KW_TRY(kw_invitation_claim(&feed_tx, in.id, first, err));
    KW_TRY(kw_invitation_claim(&feed_tx, in.id, first, err));
    cr_assert(kw_bytes_equal(KW_BYTES_OF(invitation_of(tx).enrolment), KW_BYTES_OF(first)));
    cr_assert(not(invitation_of(tx).held));
    KW_TRY(kw_invitation_answer(&feed_tx, in.id, kw_bytes_str("one"), kw_bytes_str("receipt"), 4,
                                err));
    KW_TRY(kw_invitation_answer(&feed_tx, in.id, kw_bytes_str("two"), kw_bytes_str("another"), 5,
                                err));
    cr_assert(kw_bytes_equal(invitation_of(tx).response, kw_bytes_str("one")));
    cr_assert(kw_bytes_equal(invitation_of(tx).receipt, kw_bytes_str("receipt")));
    KW_TRY(kw_invitation_hold(&feed_tx, in.id, second, 5, err));
    KW_TRY(kw_invitation_insert(&feed_tx, &in, err)); /* again: it stays as it is */
    cr_assert(invitation_of(tx).held && invitation_of(tx).claimed);
    return KW_OK;
}

Test(authz_tables, an_invitation_keeps_its_first_claim_and_answer)
{
    in_tx(invitations_are_claimed_once);
}

/* --- grants --- */

static struct kw_grant_row a_grant(uint8_t fill, enum kw_scope scope)
{
    return (struct kw_grant_row){.id = id_of(fill),
                                 .partner = id_of(1),
                                 .scope = scope,
                                 .scope_id = scope == KW_SCOPE_BODY ? KW_ID_NONE : id_of(40),
                                 .operations = KW_GRANT_RELEASE,
                                 .purpose = "care",
                                 .start_ms = 100,
                                 .end_ms = 200,
                                 .max_operations = 7,
                                 .window_ms = 60000,
                                 .regions = "eu-1",
                                 .strict = true,
                                 .justification = "ticket 1",
                                 .created_ms = fill,
                                 .revoke_justification = ""};
}

static struct kw_result put_partner(struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    const struct kw_member_row member = a_member(1, KW_MEMBER_PARTNER);

    return kw_member_insert(&feed_tx, &member, err);
}

static struct kw_result put_grant(struct kw_tx *tx, const struct kw_grant_row *row,
                                  struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    const struct kw_id devices[2] = {id_of(30), id_of(31)};

    return kw_grant_insert(&feed_tx, row, devices, row->scope == KW_SCOPE_BODY ? 2 : 0, err);
}

static STORE_TEST_RUN(grants_come_back)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    const struct kw_grant_row in = a_grant(10, KW_SCOPE_BODY);
    struct kw_grant_row out = {0};
    struct kw_id *devices;
    size_t count;
    bool found;

    (void)job;
    KW_TRY(put_partner(tx, err));
    KW_TRY(put_grant(tx, &in, err));
    KW_TRY(kw_grant_find(tx, in.id, arena, &out, &found, err));
    cr_assert(found && out.scope == KW_SCOPE_BODY && kw_id_is_none(out.scope_id));
    cr_assert(out.operations == KW_GRANT_RELEASE && out.start_ms == 100 && out.end_ms == 200);
    cr_assert(out.max_operations == 7 && out.window_ms == 60000 && out.strict && !out.no_cache);
    cr_assert(eq(str, (char *)out.purpose, "care"));
    cr_assert(eq(str, (char *)out.regions, "eu-1"));
    cr_assert(out.revoked_ms == 0 && out.created_ms == 10);
    KW_TRY(kw_grant_devices(tx, in.id, arena, &devices, &count, err));
    cr_assert(count == 2 && devices[0].bytes[0] == 30 && devices[1].bytes[0] == 31);
    KW_TRY(kw_grant_revoke(&feed_tx, in.id, 150, "over", err));
    KW_TRY(kw_grant_revoke(&feed_tx, in.id, 160, "again", err));
    KW_TRY(kw_grant_find(tx, in.id, arena, &out, &found, err));
    cr_assert(eq(u64, out.revoked_ms, 150));
    cr_assert(eq(str, (char *)out.revoke_justification, "over"));
    return KW_OK;
}

Test(authz_tables, a_grant_comes_back_and_is_revoked_once)
{
    in_tx(grants_come_back);
}

static struct kw_access an_access(void)
{
    return (struct kw_access){.device = id_of(30),
                              .operation = KW_GRANT_RELEASE,
                              .purpose = "care",
                              .region = "eu-1",
                              .now_ms = 150};
}

static STORE_TEST_RUN(candidates_in_order)
{
    const struct kw_grant_row wide = a_grant(10, KW_SCOPE_PRODUCT);
    const struct kw_grant_row named = a_grant(11, KW_SCOPE_BODY);
    struct kw_grant_row over = a_grant(9, KW_SCOPE_BODY);
    struct kw_access access = an_access();
    struct kw_grant_row *rows;
    size_t count;

    (void)job;
    over.end_ms = 150;
    KW_TRY(put_partner(tx, err));
    KW_TRY(put_grant(tx, &wide, err));
    KW_TRY(put_grant(tx, &named, err));
    KW_TRY(put_grant(tx, &over, err));
    KW_TRY(kw_grant_candidates(tx, id_of(1), &access, arena, &rows, &count, err));
    cr_assert(count == 3 && rows[0].id.bytes[0] == 11); /* names the device */
    cr_assert(rows[1].id.bytes[0] == 10 && rows[2].id.bytes[0] == 9);
    access.device = id_of(99); /* no grant names it: the product may cover it */
    KW_TRY(kw_grant_candidates(tx, id_of(1), &access, arena, &rows, &count, err));
    cr_assert(count == 1 && rows[0].id.bytes[0] == 10);
    access.device = id_of(30);
    access.grant = id_of(9);
    KW_TRY(kw_grant_candidates(tx, id_of(1), &access, arena, &rows, &count, err));
    cr_assert(count == 1 && rows[0].id.bytes[0] == 9);
    KW_TRY(kw_grant_candidates(tx, id_of(2), &access, arena, &rows, &count, err));
    cr_assert(eq(sz, count, 0)); /* another partner */
    return KW_OK;
}

Test(authz_tables, grants_that_name_the_device_are_tried_first)
{
    in_tx(candidates_in_order);
}

static STORE_TEST_RUN(useless_grants_hide_nothing)
{
    struct kw_access access = an_access();
    struct kw_grant_row *rows;
    size_t count;

    (void)job;
    KW_TRY(put_partner(tx, err));
    for (uint8_t i = 0; i < 3 * KW_GRANT_CANDIDATES_MAX; i++) {
        struct kw_grant_row grant = a_grant((uint8_t)(100 + i), KW_SCOPE_PRODUCT);

        grant.revoked_ms = 0;
        grant.purpose = i == 3 * KW_GRANT_CANDIDATES_MAX - 1 ? "care" : "other";
        KW_TRY(put_grant(tx, &grant, err));
    }
    KW_TRY(kw_grant_candidates(tx, id_of(1), &access, arena, &rows, &count, err));
    cr_assert(eq(sz, count, KW_GRANT_CANDIDATES_MAX));
    cr_assert(eq(str, (char *)rows[0].purpose, "care"));
    return KW_OK;
}

Test(authz_tables, grants_that_cannot_allow_do_not_hide_one_that_does)
{
    in_tx(useless_grants_hide_nothing);
}

static STORE_TEST_RUN(grants_by_state)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    const uint64_t times[] = {50, 150, 200, 150};
    struct kw_grant_row row = a_grant(10, KW_SCOPE_BATCH);
    struct kw_grant_row rows[4];
    size_t count;

    (void)job;
    KW_TRY(put_partner(tx, err));
    KW_TRY(put_grant(tx, &row, err));
    for (uint32_t state = KW_GRANT_PENDING; state <= KW_GRANT_REVOKED; state++) {
        struct kw_grant_query query = {
            .partner = id_of(1), .state = state, .now_ms = times[state - 1], .max = 4};

        if (state == KW_GRANT_REVOKED) {
            KW_TRY(kw_grant_revoke(&feed_tx, row.id, 1, "x", err));
        }
        KW_TRY(kw_grant_list(tx, &query, arena, rows, &count, err));
        cr_assert(eq(sz, count, 1), "%u", state);
        cr_assert(eq(int, kw_grant_state(&rows[0], query.now_ms), (enum kw_grant_state)state));
        query.now_ms = state == KW_GRANT_PENDING ? 100 : 99; /* SQL and C agree at the edges */
        KW_TRY(kw_grant_list(tx, &query, arena, rows, &count, err));
        cr_assert(eq(sz, count, state == KW_GRANT_REVOKED ? 1 : 0), "%u", state);
    }
    return KW_OK;
}

Test(authz_tables, a_grants_state_is_the_same_in_sql_and_in_c)
{
    in_tx(grants_by_state);
}

static STORE_TEST_RUN(grants_by_partner)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    struct kw_grant_query query = {.partner = id_of(2), .now_ms = 150, .max = 1};
    const struct kw_member_row other = a_member(2, KW_MEMBER_PARTNER);
    struct kw_grant_row rows[4];
    size_t count;

    (void)job;
    KW_TRY(put_partner(tx, err));
    KW_TRY(kw_member_insert(&feed_tx, &other, err));
    for (uint8_t i = 10; i < 13; i++) {
        struct kw_grant_row row = a_grant(i, KW_SCOPE_BATCH);

        row.partner = i == 11 ? id_of(1) : id_of(2);
        KW_TRY(put_grant(tx, &row, err));
    }
    KW_TRY(kw_grant_list(tx, &query, arena, rows, &count, err));
    cr_assert(count == 1 && rows[0].id.bytes[0] == 10);
    query.after = rows[0].id;
    KW_TRY(kw_grant_list(tx, &query, arena, rows, &count, err));
    cr_assert(count == 1 && rows[0].id.bytes[0] == 12);
    query = (struct kw_grant_query){.any_partner = true, .now_ms = 150, .max = 4};
    KW_TRY(kw_grant_list(tx, &query, arena, rows, &count, err));
    cr_assert(eq(sz, count, 3));
    return KW_OK;
}

Test(authz_tables, grants_are_listed_by_partner_page_by_page)
{
    in_tx(grants_by_partner);
}

/* --- requests --- */

static STORE_TEST_RUN(requests_by_key)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    struct kw_request_key key = {id_of(1), KW_METHOD_CREATE_GRANT, id_of(2)};
    struct kw_request_row in = {.response = kw_bytes_str("answer"), .created_ms = 5};
    struct kw_request_row out = {0};
    bool found;

    (void)job;
    in.body_hash[0] = 9;
    KW_TRY(kw_request_insert(&feed_tx, &key, &in, err));
    KW_TRY(kw_request_find(tx, &key, arena, &out, &found, err));
    cr_assert(found && out.body_hash[0] == 9 && out.created_ms == 5);
    cr_assert(kw_bytes_equal(out.response, in.response));
    in.created_ms = 6; /* another instance, which did not find it */
    cr_assert(eq(int, kw_request_insert(&feed_tx, &key, &in, err).reason, KW_E_STORE_CONFLICT));
    key.caller = id_of(3);
    KW_TRY(kw_request_find(tx, &key, arena, &out, &found, err));
    cr_assert(not(found));
    key = (struct kw_request_key){id_of(1), KW_METHOD_REVOKE_GRANT, id_of(2)};
    KW_TRY(kw_request_find(tx, &key, arena, &out, &found, err));
    cr_assert(not(found));
    return KW_OK;
}

Test(authz_tables, a_request_is_known_by_caller_method_and_id)
{
    in_tx(requests_by_key);
}

/* --- audit and denials --- */

static STORE_TEST_RUN(records_are_written)
{
    const struct kw_audit_entry entry = {.time_ms = 1,
                                         .caller = "spiffe://x/operator/opr",
                                         .certificate = kw_bytes_str("der"),
                                         .peer = "127.0.0.1",
                                         .method = KW_METHOD_CREATE_GRANT,
                                         .subject = "partners/p/grants/g",
                                         .body = kw_bytes_str("body"),
                                         .signature = kw_bytes_str("sig")};
    const struct kw_denial denial = {.seq = 1, .time_ms = 2, .method = 50, .times = 3};
    const struct kw_id boot = id_of(1);

    (void)job;
    KW_TRY(kw_audit_insert(tx, &entry, err));
    KW_TRY(kw_denial_insert(tx, &boot, &denial, err));
    cr_assert(eq(int, kw_denial_insert(tx, &boot, &denial, err).reason, KW_E_ALREADY_EXISTS));
    return KW_OK;
}

Test(authz_tables, a_denials_number_is_used_once_in_a_boot)
{
    in_tx(records_are_written);
}

/* --- disabling facts --- */

static struct kw_bytes fact_record(struct kw_buf *buf, uint8_t key, enum kw_fact_kind kind,
                                   uint8_t ref)
{
    const struct kw_fact fact = {.key = id_of(key),
                                 .kind = kind,
                                 .ref = kind == KW_FACT_SUSPENDED ? id_of(ref) : KW_ID_NONE,
                                 .time_ms = 1,
                                 .capsule = id_of(8),
                                 .actor = kw_bytes_str("spiffe://x/operator/opr")};

    kw_buf_clear(buf);
    cr_assert(kw_ok(kw_fact_encode(&fact, buf, NULL)));
    return kw_buf_bytes(buf);
}

static STORE_TEST_RUN(facts_are_kept)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf list = {0};
    const struct kw_id device = id_of(30);
    struct kw_capsule capsule = {0};
    struct kw_key_state state = {0};
    uint32_t count;

    (void)job;
    for (int twice = 0; twice < 2; twice++) {
        KW_TRY(
            kw_disabled_insert(&feed_tx, device, fact_record(&buf, 1, KW_FACT_SUSPENDED, 5), err));
    }
    KW_TRY(kw_disabled_insert(&feed_tx, device, fact_record(&buf, 1, KW_FACT_SUSPENDED, 6), err));
    KW_TRY(kw_disabled_insert(&feed_tx, device, fact_record(&buf, 2, KW_FACT_COMPROMISED, 0), err));
    KW_TRY(kw_disabled_count(tx, device, &count, err));
    cr_assert(eq(u32, count, 3));
    KW_TRY(kw_disabled_collect(tx, device, &capsule, &list, err));
    cr_assert(eq(int, capsule.disabled_count, 3));
    KW_TRY(kw_capsule_disabled_fold(&capsule, id_of(2), &state, err));
    cr_assert(state.compromised);
    KW_TRY(kw_disabled_count(tx, id_of(31), &count, err));
    cr_assert(eq(u32, count, 0));
    return KW_OK;
}

Test(authz_tables, disabling_facts_are_kept_once_each)
{
    in_tx(facts_are_kept);
}

static STORE_TEST_RUN(enabling_facts_are_refused)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};

    (void)job;
    cr_assert(
        eq(int,
           kw_disabled_insert(&feed_tx, id_of(30), fact_record(&buf, 1, KW_FACT_ACTIVATED, 0), err)
               .reason,
           KW_E_ARGUMENT_INVALID));
    cr_assert(eq(int, kw_disabled_insert(&feed_tx, id_of(30), kw_bytes_str("nonsense"), err).reason,
                 KW_E_ENCODING_INVALID));
    return KW_OK;
}

Test(authz_tables, an_enabling_fact_is_nothing_for_this_table)
{
    in_tx(enabling_facts_are_refused);
}

/* --- quotas, witness --- */

static STORE_TEST_RUN(quotas_are_replaced)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    const struct kw_id instance = kw_feed_instance(&feed);
    struct kw_quota quota = {.window_start_ms = 5, .used = 1};
    struct kw_quota rows[2];
    size_t count;

    (void)job;
    KW_TRY(put_partner(tx, err));
    for (uint8_t i = 10; i < 13; i++) {
        const struct kw_grant_row grant = a_grant(i, KW_SCOPE_BATCH);

        KW_TRY(put_grant(tx, &grant, err));
        quota.grant = grant.id;
        KW_TRY(kw_quota_store(&feed_tx, &quota, err));
    }
    quota = (struct kw_quota){.grant = id_of(10), .window_start_ms = 6, .used = 2};
    KW_TRY(kw_quota_store(&feed_tx, &quota, err));
    KW_TRY(kw_quota_list(tx, instance, KW_ID_NONE, rows, 2, &count, err));
    cr_assert(count == 2 && rows[0].used == 2 && rows[0].window_start_ms == 6);
    KW_TRY(kw_quota_list(tx, instance, rows[1].grant, rows, 2, &count, err));
    cr_assert(count == 1 && rows[0].grant.bytes[0] == 12 && rows[0].used == 1);
    return KW_OK;
}

Test(authz_tables, a_quota_is_replaced_and_listed)
{
    in_tx(quotas_are_replaced);
}

static STORE_TEST_RUN(witness_grows)
{
    struct kw_witness witness = {.core = id_of(1), .stream = id_of(2), .seq = 10, .head = {7}};
    struct kw_witness out;

    (void)job;
    KW_TRY(kw_witness_load(tx, &out, err));
    cr_assert(out.seq == 0 && kw_id_is_none(out.core));
    KW_TRY(kw_witness_store(tx, &witness, 100, err));
    witness.seq = 9;
    witness.head[0] = 8;
    KW_TRY(kw_witness_store(tx, &witness, 200, err)); /* an older one changes nothing */
    KW_TRY(kw_witness_load(tx, &out, err));
    cr_assert(out.seq == 10 && out.head[0] == 7);
    witness.core = id_of(3);
    KW_TRY(kw_witness_store(tx, &witness, 300, err));
    KW_TRY(kw_witness_load(tx, &out, err));
    cr_assert(out.seq == 9 && out.core.bytes[0] == 3); /* the chain that was seen last */
    return KW_OK;
}

Test(authz_tables, the_witness_of_a_chain_only_grows)
{
    in_tx(witness_grows);
}
