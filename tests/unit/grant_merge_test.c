/* Grants: revoked one by one or all at once, none comes back. */
#include "common/sync/version_vector.h"
#include "services/authz/grant_merge.h"
#include "services/authz/member_merge.h"
#include "tests/support/merge_laws.h"
#include "tests/support/must.h"
#include "tests/support/note.h"

Test(grant_merge, laws_hold)
{
    struct laws laws = laws_new(&kw_grant_record);

    laws.dead = kw_grant_record_revoked;
    LAWS_AXIS(&laws, KW_GRANT_FIELD_PURPOSE, value_text("treatment"), value_text("fault"));
    LAWS_AXIS(&laws, KW_GRANT_FIELD_SEEN, value_vector(1, 0));
    LAWS_AXIS(&laws, KW_GRANT_FIELD_REVOKED, value_first(1, store_a, "over"),
              value_first(1, store_b, "over"), value_first(2, store_a, "again"));
    LAWS_UNKNOWN(&laws, 40, KW_RULE_ERASABLE, KW_BYTES_NONE, value_text("v"), value_text("w"));
    laws_hold(&laws);
}

static struct kw_record grant_of(struct kw_bytes seen)
{
    struct kw_record record = {.table = kw_grant_record.table, .key = kw_bytes_str("grant")};

    if (seen.len > 0) {
        MUST(kw_record_set(&record, &kw_grant_record, KW_GRANT_FIELD_SEEN, seen, err));
    }
    return record;
}

static struct kw_record partner_of(struct kw_bytes revoke_all)
{
    struct kw_record record = {.table = kw_member_record.table, .key = kw_bytes_str("partner")};

    if (revoke_all.len > 0) {
        MUST(
            kw_record_set(&record, &kw_member_record, KW_MEMBER_FIELD_REVOKE_ALL, revoke_all, err));
    }
    return record;
}

Test(grant_merge, a_grant_stands_only_while_nothing_stops_it_or_its_partner)
{
    struct kw_record grant = grant_of(value_vector(1, 2));
    struct kw_record partner = partner_of(value_vector(1, 1));
    struct kw_record changed;

    cr_assert(kw_grant_record_stands(&grant, &partner));
    changed = partner_of(value_vector(2, 0));
    cr_assert_not(kw_grant_record_stands(&grant, &changed));
    changed = partner;
    MUST(kw_record_set(&changed, &kw_member_record, KW_MEMBER_FIELD_SUSPENSIONS,
                       value_suspensions(1, 0), err));
    cr_assert_not(kw_grant_record_stands(&grant, &changed));
    changed = grant;
    MUST(kw_record_set(&changed, &kw_grant_record, KW_GRANT_FIELD_REVOKED,
                       value_first(1, store_a, ""), err));
    cr_assert_not(kw_grant_record_stands(&changed, &partner));
}

/* One byte more than a vector, which must not be read as one. */
Test(grant_merge, knowledge_that_is_none_covers_nothing)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);
    struct kw_record partner = partner_of(KW_BYTES_NONE);
    struct kw_record grant;

    kw_put_vector_entry(&w, store_a, 1);
    kw_put_u8(&w, 0);
    grant = grant_of(value_keep(&buf));
    cr_assert(kw_grant_record_stands(&grant, &partner));
    partner = partner_of(value_vector(1, 0));
    cr_assert_not(kw_grant_record_stands(&grant, &partner));
}

/* What stands no more for a revocation's sake does not stand after any merge, on either side. */
Test(grant_merge, no_merge_brings_back_what_a_revocation_ended)
{
    unsigned looked = 0;

    for (unsigned seen = 0; seen < 9; seen++) {
        struct kw_record grant = grant_of(value_vector(seen / 3, seen % 3));

        for (unsigned ours = 0; ours < 9; ours++) {
            struct kw_record partner = partner_of(value_vector(ours / 3, ours % 3));

            for (unsigned theirs = 0; theirs < 9; theirs++) {
                struct kw_record other = partner_of(value_vector(theirs / 3, theirs % 3));
                struct kw_record merged;

                MUST(kw_record_merge(&partner, &other, values_arena(), NULL, &merged, err));
                cr_assert(kw_grant_record_stands(&grant, &partner) ||
                          !kw_grant_record_stands(&grant, &merged));
                looked++;
            }
        }
    }
    cr_assert_eq(looked, 9 * 9 * 9);
}

/* --- every short history of two cells: revoke all, grant once, meet --- */

enum step {
    REVOKE_A,
    REVOKE_B,
    GRANT_A,
    GRANT_B,
    MEET,
    STEPS
};

/* A cell as the product would have it, as one number for all would, and as it truly is. */
struct cell {
    struct kw_record partner;
    unsigned epoch;
    unsigned known; /* a bit for each "revoke all" it knows of */
    unsigned counted;
};

struct world {
    struct cell cells[2];
    unsigned revocations; /* so many were there */
    bool granted;
    struct kw_bytes seen;
    unsigned seen_epoch;
    unsigned seen_known;
};

static void revoke_all(struct world *world, struct cell *cell, bool is_a)
{
    struct kw_record intent;

    cell->counted++;
    intent = partner_of(is_a ? value_vector(cell->counted, 0) : value_vector(0, cell->counted));
    MUST(kw_record_merge(&cell->partner, &intent, values_arena(), NULL, &cell->partner, err));
    cell->epoch++;
    cell->known |= 1U << world->revocations++;
}

static void grant(struct world *world, const struct cell *cell)
{
    if (!world->granted) {
        world->granted = true;
        world->seen = kw_record_value(&cell->partner, KW_MEMBER_FIELD_REVOKE_ALL);
        world->seen_epoch = cell->epoch;
        world->seen_known = cell->known;
    }
}

static void meet(struct cell *a, struct cell *b)
{
    MUST(kw_record_merge(&a->partner, &b->partner, values_arena(), NULL, &a->partner, err));
    b->partner = a->partner;
    a->epoch = b->epoch = a->epoch > b->epoch ? a->epoch : b->epoch;
    a->known = b->known = a->known | b->known;
}

static void take(struct world *world, enum step step)
{
    struct cell *a = &world->cells[0];
    struct cell *b = &world->cells[1];

    switch (step) {
    case REVOKE_A:
        revoke_all(world, a, true);
        break;
    case REVOKE_B:
        revoke_all(world, b, false);
        break;
    case GRANT_A:
        grant(world, a);
        break;
    case GRANT_B:
        grant(world, b);
        break;
    case MEET:
    case STEPS:
        meet(a, b);
        break;
    }
}

static struct world run(unsigned history, unsigned length)
{
    struct kw_record nothing = partner_of(KW_BYTES_NONE);
    struct world world = {.cells = {{.partner = nothing}, {.partner = nothing}}};

    for (unsigned i = 0; i < length; i++) {
        take(&world, (enum step)(history % STEPS));
        history /= STEPS;
    }
    take(&world, MEET);
    return world;
}

/* One number survives revocations that its maker did not know of; the vector never does. */
Test(grant_merge, revoke_all_ends_every_grant_made_without_knowing_of_it)
{
    unsigned granted = 0;
    unsigned wrong = 0;
    unsigned wrong_by_epoch = 0;

    for (unsigned history = 0; history < 5 * 5 * 5 * 5 * 5; history++) {
        struct world world = run(history, 5);
        struct kw_record record = grant_of(world.seen);
        bool truly = world.seen_known == (1U << world.revocations) - 1;

        granted += world.granted;
        wrong += world.granted && kw_grant_record_stands(&record, &world.cells[0].partner) != truly;
        wrong_by_epoch += world.granted && (world.seen_epoch >= world.cells[0].epoch) != truly;
    }
    test_note("revoke all against grant: %u histories with a grant, %u wrong by vector, %u by one "
              "number",
              granted, wrong, wrong_by_epoch);
    cr_assert_eq(wrong, 0);
    cr_assert_gt(granted, 2000);
    cr_assert_gt(wrong_by_epoch, 0);
}
