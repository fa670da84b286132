/* Urgent changes: let in ahead of their lane, refused by name, and never stopped by a fork. */
#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"

static enum kw_lane_verdict verdict_of(const struct kw_lane_held *held,
                                       const struct kw_urgent *urgent)
{
    enum kw_lane_verdict verdict;

    MUST(kw_urgent_check(held, urgent, &verdict, err));
    return verdict;
}

Test(urgent, it_goes_ahead_of_its_lane_whose_copy_is_news_as_ever)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 5);
    struct kw_urgent urgent = lane_urgent(&owner, 8);
    struct kw_lane_batch batch = lane_batch(&owner, 5, 8);
    struct kw_lane_finding finding;

    cr_assert_eq(verdict_of(&held, &urgent), KW_LANE_NEWS);
    MUST(kw_lane_check(&held, &batch, &finding, err));
    cr_assert_eq(finding.verdict, KW_LANE_NEWS);
    cr_assert(kw_bytes_equal(batch.changes[2].record, urgent.change.record));
    held.point = finding.point;
    cr_assert_eq(verdict_of(&held, &urgent), KW_LANE_KNOWN);
}

Test(urgent, it_is_known_where_the_very_same_is_held)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 6);
    struct kw_urgent urgent = lane_urgent(&owner, 4);

    cr_assert_eq(verdict_of(&held, &urgent), KW_LANE_NEWS, "it may be, but that is not kept");
    held.chain_there = owner.points[4].chain;
    cr_assert_eq(verdict_of(&held, &urgent), KW_LANE_KNOWN);
}

/* A store that forgot change 8 and wrote it anew revokes all the same. */
Test(urgent, another_life_of_its_store_disables_too)
{
    struct lane_owner owner = lane_owner_new(8);
    struct lane_owner rival = owner;
    struct kw_lane_held held = lane_held(&owner, 8);
    struct kw_urgent urgent;

    rival.count = 7;
    lane_grow(&rival, 1, ", of the other life");
    urgent = lane_urgent(&rival, 8);
    cr_assert_eq(verdict_of(&held, &urgent), KW_LANE_NEWS, "where the fork has not shown");
    held.forked = true;
    cr_assert_eq(verdict_of(&held, &urgent), KW_LANE_NEWS, "where it has");
}

Test(urgent, whose_it_is_is_asked_as_of_any_batch)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_urgent urgent = lane_urgent(&owner, 8);
    struct kw_record other =
        lane_row_with(&owner, KW_STORE_FIELD_INCARNATIONS, lane_set_of(kw_id_bytes(&store_b)));
    struct kw_lane_held held = lane_held(&owner, 5);

    held.mesh.bytes[0] ^= 1;
    cr_assert_eq(verdict_of(&held, &urgent), KW_LANE_OTHER_MESH);
    held = lane_held(&owner, 5);
    held.store = NULL;
    cr_assert_eq(verdict_of(&held, &urgent), KW_LANE_STRANGER);
    held.store = &other;
    cr_assert_eq(verdict_of(&held, &urgent), KW_LANE_STRANGER);
}

Test(urgent, a_fenced_store_has_nothing_urgent_to_say)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_urgent urgent = lane_urgent(&owner, 8);
    struct kw_record within = lane_row_fenced(&owner, 8);
    struct kw_record beyond = lane_row_fenced(&owner, 7);
    struct kw_lane_held held = lane_held(&owner, 5);

    held.store = &within;
    cr_assert_eq(verdict_of(&held, &urgent), KW_LANE_FENCED, "a number is its own word");
    held.store = &beyond;
    cr_assert_eq(verdict_of(&held, &urgent), KW_LANE_FENCED);
    held = lane_held(&owner, 8);
    held.store = &beyond;
    cr_assert_eq(verdict_of(&held, &urgent), KW_LANE_KNOWN, "what is held is held");
}

Test(urgent, what_is_not_signed_by_its_store_is_unsigned)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 5);
    struct kw_urgent urgent = lane_urgent(&owner, 8);
    struct kw_urgent other = lane_urgent(&owner, 4);
    struct kw_bytes signature = urgent.signature;

    urgent.signature = other.signature;
    cr_assert_eq(verdict_of(&held, &urgent), KW_LANE_UNSIGNED, "another's signature");
    urgent.signature = signature;
    urgent.change.record = other.change.record;
    cr_assert_eq(verdict_of(&held, &urgent), KW_LANE_UNSIGNED, "another's record");
    owner.key = lane_key(1);
    urgent = lane_urgent(&owner, 8);
    cr_assert_eq(verdict_of(&held, &urgent), KW_LANE_STRANGER, "another store's key");
}

/* --- the encoding --- */

static bool is_read(struct kw_bytes bytes)
{
    struct kw_urgent urgent;

    return kw_ok(kw_urgent_decode(bytes, &urgent, NULL));
}

Test(urgent, every_truncation_and_a_byte_more_is_refused)
{
    struct lane_owner owner = lane_owner_new(4);
    struct kw_bytes whole = lane_urgent_bytes(&owner, 4);
    uint8_t longer[512] = {0};

    cr_assert(is_read(whole));
    for (size_t len = 0; len < whole.len; len++) {
        cr_assert_not(is_read(KW_BYTES(whole.data, len)), "%zu", len);
    }
    kw_copy(longer, whole.data, whole.len);
    cr_assert_not(is_read(KW_BYTES(longer, whole.len + 1)));
}

Test(urgent, every_bit_counts)
{
    struct lane_owner owner = lane_owner_new(4);
    struct kw_lane_held held = lane_held(&owner, 3);
    struct kw_bytes whole = lane_urgent_bytes(&owner, 4);
    uint8_t changed[512];

    kw_copy(changed, whole.data, whole.len);
    for (size_t bit = 0; bit < whole.len * 8; bit++) {
        struct kw_urgent urgent;

        changed[bit / 8] ^= (uint8_t)(1U << bit % 8);
        if (kw_ok(kw_urgent_decode(KW_BYTES(changed, whole.len), &urgent, NULL))) {
            enum kw_lane_verdict verdict = verdict_of(&held, &urgent);

            cr_assert(verdict != KW_LANE_NEWS && verdict != KW_LANE_KNOWN, "bit %zu", bit);
        }
        changed[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static bool is_written(const struct kw_urgent *urgent, const struct kw_private_key *key)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    return kw_ok(kw_urgent_sign(urgent, key, &record, NULL));
}

/* Change 4 as its writer has it, with one thing wrong. */
#define EXPECT_UNWRITTEN(wrong)                                                                    \
    do {                                                                                           \
        struct kw_urgent urgent = lane_urgent(&owner, 4);                                          \
        cr_expect(is_written(&urgent, lane_key(0)));                                               \
        wrong;                                                                                     \
        cr_expect_not(is_written(&urgent, lane_key(0)), #wrong);                                   \
    } while (0)

Test(urgent, what_a_reader_would_refuse_is_not_written)
{
    static const uint8_t zeros[KW_CHANGE_LEN_MAX + 1];
    struct lane_owner owner = lane_owner_new(4);
    struct kw_urgent urgent = lane_urgent(&owner, 4);

    EXPECT_UNWRITTEN(urgent.change.urgent = false);
    EXPECT_UNWRITTEN(urgent.point.seq = 0);
    EXPECT_UNWRITTEN(urgent.point.seq = 1ULL << 63);
    EXPECT_UNWRITTEN(urgent.change.hlc = 1ULL << 63);
    EXPECT_UNWRITTEN(urgent.change.record = KW_BYTES_NONE);
    EXPECT_UNWRITTEN(urgent.change.record = KW_BYTES_OF(zeros));
    urgent.change.record = KW_BYTES(zeros, KW_CHANGE_LEN_MAX);
    cr_assert(is_written(&urgent, lane_key(0)));
    cr_assert_not(is_written(&urgent, lane_p384()));
}

/* The same bytes of a change without a number, which nobody of us writes. */
Test(urgent, number_0_is_not_read)
{
    struct lane_owner owner = lane_owner_new(4);
    struct kw_bytes whole = lane_urgent_bytes(&owner, 4);
    uint8_t changed[512];

    kw_copy(changed, whole.data, whole.len);
    cr_assert_eq(changed[4 + 52 + 7], 4);
    changed[4 + 52 + 7] = 0;
    cr_assert_not(is_read(KW_BYTES(changed, whole.len)));
}
