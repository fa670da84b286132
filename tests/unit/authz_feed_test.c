/* Authz's rows as they come from other cells: in pieces, and in any order. */
#include "common/feed/intent.h"
#include "services/authz/grant_merge.h"
#include "services/authz/grant_table.h"
#include "services/authz/member_merge.h"
#include "services/authz/member_table.h"
#include "tests/support/merge_values.h"
#include "tests/unit/authz_feed_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(authz_feed, .init = feed_init, .fini = feed_done);

/* Says each field of a record alone, the last one first. */
static struct kw_result say_backwards(const struct kw_feed_tx *feed_tx,
                                      const struct kw_record *record, struct kw_error *err)
{
    for (size_t i = record->count; i > 0; i--) {
        struct kw_record piece = {.table = record->table,
                                  .key = record->key,
                                  .count = 1,
                                  .fields = {record->fields[i - 1]}};

        KW_TRY(kw_feed_change(feed_tx, &piece, NULL, err));
    }
    return KW_OK;
}

/* The same member under another id, in pieces: it is there once the last one is. */
static STORE_TEST_RUN(a_member_in_pieces)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    static const struct kw_id other = {{9}};
    struct kw_member_row row = {0};
    struct kw_record member;
    bool found = true;

    (void)job;
    KW_TRY(feed_member_make(&feed_tx, &member, err));
    member.key = kw_id_bytes(&other);
    KW_TRY(kw_member_suspend(&feed_tx, other, (struct kw_id){{5}}, 1, err));
    KW_TRY(kw_member_find(tx, other, feed_arena, &row, &found, err));
    cr_assert(not(found));
    KW_TRY(say_backwards(&feed_tx, &member, err));
    KW_TRY(kw_member_find(tx, other, feed_arena, &row, &found, err));
    cr_assert(found && row.suspended && row.kind == KW_MEMBER_PARTNER && row.epoch == 1);
    cr_assert(eq(str, (char *)(uintptr_t)row.display_name, "Acme"));
    cr_assert(eq(str, (char *)(uintptr_t)row.regions, "eu-1"));
    return KW_OK;
}

Test(authz_feed, a_member_is_there_when_all_of_it_is_and_suspended_if_that_came_before)
{
    in_tx(a_member_in_pieces);
}

/* Which regions it may use waits for its time: until then it may use none. */
static STORE_TEST_RUN(a_member_without_reach)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    static const struct kw_id other = {{9}};
    struct kw_member_row row = {0};
    struct kw_record member;
    struct kw_record rest = {.table = KW_TABLE_MEMBERS, .key = kw_id_bytes(&other)};
    bool found = true;

    (void)job;
    KW_TRY(feed_member_make(&feed_tx, &member, err));
    for (size_t i = 0; i < member.count; i++) {
        if (member.fields[i].number != KW_MEMBER_FIELD_REACH) {
            rest.fields[rest.count++] = member.fields[i];
        }
    }
    KW_TRY(kw_feed_change(&feed_tx, &rest, NULL, err));
    KW_TRY(kw_member_find(tx, other, feed_arena, &row, &found, err));
    cr_assert(not(found));
    return KW_OK;
}

Test(authz_feed, a_member_whose_reach_is_not_here_yet_is_none)
{
    in_tx(a_member_without_reach);
}

static enum kw_grant_state state_of(struct kw_tx *tx)
{
    struct kw_grant_row row = {0};
    bool found = false;

    cr_assert(kw_ok(kw_grant_find(tx, feed_grant_id, feed_arena, &row, &found, NULL)));
    cr_assert(found);
    return kw_grant_state(&row, 150);
}

static STORE_TEST_RUN(a_revocation_first)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    struct kw_intent revoked = kw_intent(&kw_grant_record, kw_id_bytes(&feed_grant_id), feed_arena);

    (void)job;
    kw_intent_first(&revoked, KW_GRANT_FIELD_REVOKED, &feed_opened, 0,
                    KW_BYTES_NONE); /* at no time */
    KW_TRY(kw_intent_say(&revoked, &feed_tx, NULL, err));
    KW_TRY(feed_grant_make(&feed_tx, KW_BYTES_NONE, err));
    cr_assert(eq(int, state_of(tx), KW_GRANT_REVOKED));
    return KW_OK;
}

Test(authz_feed, a_grant_whose_revocation_came_before_it_is_revoked_whatever_its_time)
{
    in_tx(a_revocation_first);
}

static struct kw_result revoke_all(const struct kw_feed_tx *feed_tx, struct kw_bytes counts,
                                   struct kw_error *err)
{
    struct kw_intent intent =
        kw_intent(&kw_member_record, kw_id_bytes(&feed_member_id), feed_arena);

    kw_intent_bytes(&intent, KW_MEMBER_FIELD_REVOKE_ALL, counts);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

/* Grant, member and the revocation of all, in each order. */
static STORE_TEST_RUN(overruled_before)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    struct kw_record member;

    (void)job;
    KW_TRY(revoke_all(&feed_tx, value_vector(1, 0), err));
    KW_TRY(feed_grant_make(&feed_tx, value_vector(0, 5), err));
    cr_assert(eq(int, state_of(tx), KW_GRANT_ACTIVE)); /* nobody is known to whom it was given */
    KW_TRY(feed_member_make(&feed_tx, &member, err));
    cr_assert(eq(int, state_of(tx), KW_GRANT_REVOKED));
    return KW_OK;
}

static STORE_TEST_RUN(overruled_after)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    struct kw_record member;

    (void)job;
    KW_TRY(feed_member_make(&feed_tx, &member, err));
    KW_TRY(feed_grant_make(&feed_tx, value_vector(1, 0), err));
    KW_TRY(revoke_all(&feed_tx, value_vector(1, 0), err)); /* which it knew */
    cr_assert(eq(int, state_of(tx), KW_GRANT_ACTIVE));
    KW_TRY(revoke_all(&feed_tx, value_vector(0, 1), err));
    cr_assert(eq(int, state_of(tx), KW_GRANT_REVOKED));
    return KW_OK;
}

Test(authz_feed, a_grant_made_without_knowledge_of_revoke_all_does_not_stand)
{
    in_tx(overruled_before);
}

Test(authz_feed, a_grant_stands_as_far_as_its_maker_knew)
{
    in_tx(overruled_after);
}
