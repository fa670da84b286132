/* The database, and two rows. */
#include "tests/unit/authz_feed_fixture.h"

#include "services/authz/feed_tables.h"
#include "services/authz/grant_table.h"
#include "services/authz/member_merge.h"
#include "services/authz/member_table.h"
#include "services/authz/schema.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

struct kw_feed feed_opened;
struct kw_arena *feed_arena;
const struct kw_id feed_member_id = {{1}};
const struct kw_id feed_grant_id = {{2}};

static struct store_fixture store;

static STORE_TEST_RUN(open_feed)
{
    const struct kw_feed_options options = {.mesh = {{1}},
                                            .store = kw_store_id(store.store),
                                            .tables = kw_authz_feed_tables,
                                            .table_count = kw_authz_feed_table_count};

    (void)job;
    return kw_feed_open(&feed_opened, &options, tx, 77, err);
}

void in_tx(STORE_TEST_RUN((*run)))
{
    struct store_test_job job = store_test_job(&store, run, 0, NULL);
    struct kw_result result = store_test_write(&job);

    cr_assert(kw_ok(result), "%s", job.job.error.message);
}

void feed_init(void)
{
    store_fixture_init(&store);
    cr_assert(
        kw_ok(store_fixture_open(&store, kw_authz_migrations, kw_authz_migration_count, NULL)));
    feed_arena = kw_arena_new(64U << 20);
    in_tx(open_feed);
}

void feed_done(void)
{
    kw_arena_free(feed_arena);
    store_fixture_close(&store);
    store_fixture_done(&store);
}

struct kw_feed_tx feed_of(struct kw_tx *tx)
{
    return (struct kw_feed_tx){.feed = &feed_opened, .tx = tx, .arena = feed_arena, .wall_ms = 77};
}

struct kw_result feed_member_make(const struct kw_feed_tx *feed_tx, struct kw_record *ret_member,
                                  struct kw_error *err)
{
    const struct kw_member_row row = {.id = feed_member_id,
                                      .kind = KW_MEMBER_PARTNER,
                                      .display_name = "Acme",
                                      .contact = "a@acme.example",
                                      .location = "",
                                      .regions = "eu-1",
                                      .epoch = 1,
                                      .created_ms = 100};
    bool found;

    KW_TRY(kw_member_insert(feed_tx, &row, err));
    KW_TRY(kw_feed_find(feed_tx->tx, &kw_member_record, kw_id_bytes(&row.id), feed_arena,
                        ret_member, &found, err));
    return KW_OK;
}

struct kw_result feed_grant_make(const struct kw_feed_tx *feed_tx, struct kw_bytes seen,
                                 struct kw_error *err)
{
    static const struct kw_id devices[2] = {{{30}}, {{31}}};
    const struct kw_grant_row row = {.id = feed_grant_id,
                                     .partner = feed_member_id,
                                     .scope = KW_SCOPE_BODY,
                                     .operations = KW_GRANT_RELEASE,
                                     .purpose = "care",
                                     .start_ms = 1,
                                     .end_ms = 200,
                                     .regions = "",
                                     .justification = "ticket",
                                     .created_ms = 1,
                                     .seen = seen};

    return kw_grant_insert(feed_tx, &row, devices, 2, err);
}
