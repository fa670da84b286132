/* Heads and batches as bytes: what is refused, by readers and writers alike. */
#include "common/base/codec.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"

#define SMALL 1024

static bool is_batch(struct kw_bytes bytes)
{
    struct kw_lane_batch batch;

    return kw_ok(kw_lane_batch_decode(bytes, values_arena(), &batch, NULL));
}

static bool is_head(struct kw_bytes bytes)
{
    struct kw_lane_head head;

    return kw_ok(kw_lane_head_decode(bytes, &head, NULL));
}

static void expect_whole(struct kw_bytes whole, bool (*is_read)(struct kw_bytes bytes))
{
    uint8_t longer[SMALL] = {0};

    REQUIRE(whole.len < SMALL, "%zu bytes", whole.len);
    cr_expect(is_read(whole));
    for (size_t len = 0; len < whole.len; len++) {
        cr_expect_not(is_read(KW_BYTES(whole.data, len)), "%zu of %zu", len, whole.len);
    }
    kw_copy(longer, whole.data, whole.len);
    cr_expect_not(is_read(KW_BYTES(longer, whole.len + 1)));
}

Test(lane_batch, every_truncation_and_a_byte_more_is_refused)
{
    struct lane_owner owner = lane_owner_new(5);

    expect_whole(lane_batch_bytes(&owner, 2, 5), is_batch);
    expect_whole(lane_batch_bytes(&owner, 5, 5), is_batch);
    expect_whole(lane_head(&owner, 5, lane_closed(5)), is_head);
}

/* What comes of it with this bit changed, for who holds all up to `at`. */
static void flip(const struct kw_lane_held *held, struct kw_bytes whole, size_t bit,
                 size_t verdicts[KW_LANE_VERDICT_END_])
{
    struct kw_lane_finding finding;
    struct kw_lane_batch batch;
    uint8_t changed[SMALL];

    kw_copy(changed, whole.data, whole.len);
    changed[bit / 8] ^= (uint8_t)(1U << bit % 8);
    if (kw_ok(kw_lane_batch_decode(KW_BYTES(changed, whole.len), values_arena(), &batch, NULL))) {
        MUST(kw_lane_check(held, &batch, &finding, err));
        cr_assert_neq(finding.verdict, KW_LANE_NEWS, "bit %zu", bit);
        cr_assert_eq(finding.closed, held->closed, "bit %zu", bit);
        verdicts[finding.verdict]++;
    }
}

Test(lane_batch, every_bit_counts)
{
    struct lane_owner owner = lane_owner_new(5);
    struct kw_lane_held held = lane_held(&owner, 4);
    struct kw_bytes news = lane_batch_bytes(&owner, 4, 5);
    struct kw_bytes beat = lane_batch_bytes(&owner, 4, 4);
    size_t verdicts[KW_LANE_VERDICT_END_] = {0};

    for (size_t bit = 0; bit < news.len * 8; bit++) {
        flip(&held, news, bit, verdicts);
    }
    cr_expect_gt(verdicts[KW_LANE_BROKEN], 0);
    cr_expect_gt(verdicts[KW_LANE_UNSIGNED], 0);
    cr_expect_gt(verdicts[KW_LANE_STRANGER], 0);
    cr_expect_gt(verdicts[KW_LANE_OTHER_MESH], 0);
    held.closed--;
    for (size_t bit = 0; bit < beat.len * 8; bit++) {
        flip(&held, beat, bit, verdicts);
    }
}

/* --- what nobody writes and nobody reads --- */

/* Laid out by hand, since the writer would refuse. */
static struct kw_bytes raw_batch(const struct kw_lane_batch *batch)
{
    struct kw_buf record = {0};
    struct kw_writer w = KW_WRITER(&record);

    kw_put_raw(&w, kw_bytes_str("KWN1"));
    kw_put_var(&w, batch->head_record);
    kw_put_raw(&w, KW_BYTES_OF(batch->from.chain));
    kw_put_u16(&w, (uint16_t)batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        kw_put_u64(&w, batch->changes[i].hlc);
        kw_put_u8(&w, batch->changes[i].urgent ? 1 : 0);
        kw_put_u32(&w, (uint32_t)batch->changes[i].record.len);
        kw_put_raw(&w, batch->changes[i].record);
    }
    MUST(kw_writer_end(&w, err));
    return value_keep(&record);
}

static bool is_written(const struct kw_lane_batch *batch)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_error error = {0};
    struct kw_result result = kw_lane_batch_encode(batch, &record, &error);

    cr_expect(kw_ok(result) || result.reason == KW_E_ARGUMENT_INVALID);
    cr_expect_eq(record.len > 0, kw_ok(result), "nothing is left of what failed");
    return kw_ok(result);
}

/* Changes 4 and 5 as their writer has them, with one thing wrong. */
#define EXPECT_REFUSED(wrong)                                                                      \
    do {                                                                                           \
        struct kw_change changes[] = {owner.changes[4], owner.changes[5]};                         \
        struct kw_lane_batch batch = lane_batch(&owner, 3, 5);                                     \
        batch.changes = changes;                                                                   \
        cr_expect(is_written(&batch) && is_batch(raw_batch(&batch)));                              \
        wrong;                                                                                     \
        cr_expect_not(is_written(&batch), #wrong);                                                 \
        cr_expect_not(is_batch(raw_batch(&batch)), #wrong);                                        \
    } while (0)

Test(lane_batch, what_a_reader_refuses_a_writer_does_not_write)
{
    static const uint8_t zeros[KW_CHANGE_LEN_MAX + 1];
    struct lane_owner owner = lane_owner_new(8);

    EXPECT_REFUSED(changes[1].hlc = changes[0].hlc - 1);
    EXPECT_REFUSED(changes[1].hlc = lane_closed(5) + 1);
    EXPECT_REFUSED(changes[1].hlc = 1ULL << 63);
    EXPECT_REFUSED(changes[0].record = KW_BYTES_NONE);
    EXPECT_REFUSED(changes[0].record = KW_BYTES_OF(zeros));
    EXPECT_REFUSED(batch.head_record = KW_BYTES_NONE);
    EXPECT_REFUSED(batch.head_record = kw_bytes_str("head"));
    EXPECT_REFUSED(batch.head_record = lane_head(&owner, 1, lane_closed(5)));
}

/* Of these the numbers are wrong for who writes; a reader takes them from the head. */
Test(lane_batch, numbers_meet)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_batch batch = lane_batch(&owner, 3, 5);
    struct kw_lane_batch beat = lane_batch(&owner, 5, 5);

    batch.from.seq--;
    cr_assert_not(is_written(&batch));
    batch.from.seq = 6;
    cr_assert_not(is_written(&batch));
    beat.from.seq--;
    cr_assert_not(is_written(&beat));
}

Test(lane_batch, a_heartbeat_is_at_one_point)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_batch beat = lane_batch(&owner, 5, 5);

    beat.from.chain[0] ^= 1;
    cr_assert_not(is_written(&beat));
    cr_assert_not(is_batch(raw_batch(&beat)));
}

Test(lane_batch, an_urgency_of_2_is_refused)
{
    struct lane_owner owner = lane_owner_new(5);
    struct kw_bytes whole = lane_batch_bytes(&owner, 4, 5);
    uint8_t changed[SMALL];
    size_t at = whole.len - owner.changes[5].record.len - 4 - 1;

    kw_copy(changed, whole.data, whole.len);
    cr_assert_eq(changed[at], 0);
    changed[at] = 2;
    cr_assert_not(is_batch(KW_BYTES(changed, whole.len)));
    changed[at] = 1;
    cr_assert(is_batch(KW_BYTES(changed, whole.len)));
}

/* --- limits --- */

/* So many changes of `len` bytes each, and their head. */
static struct kw_lane_batch big_batch(size_t count, size_t len)
{
    static const uint8_t zeros[KW_CHANGE_LEN_MAX];
    struct kw_change *changes = kw_arena_alloc(values_arena(), count * sizeof(*changes));
    struct lane_owner owner = lane_owner_new(0);
    struct kw_lane_head head = {.lane = owner.lane, .point.seq = count};
    struct kw_buf record = {0};

    REQUIRE(changes != NULL, "no memory");
    for (size_t i = 0; i < count; i++) {
        changes[i] = (struct kw_change){.record = KW_BYTES(zeros, len)};
    }
    MUST(kw_lane_head_sign(&head, owner.key, &record, err));
    return (struct kw_lane_batch){
        .head_record = value_keep(&record), .changes = changes, .count = count};
}

static void expect_limit(struct kw_lane_batch most, struct kw_lane_batch more)
{
    cr_expect(is_written(&most));
    cr_expect(is_batch(raw_batch(&most)));
    cr_expect_not(is_written(&more));
    cr_expect_not(is_batch(raw_batch(&more)));
}

Test(lane_batch, so_many_changes_and_no_more)
{
    expect_limit(big_batch(KW_BATCH_CHANGES_MAX, 1), big_batch(KW_BATCH_CHANGES_MAX + 1, 1));
}

Test(lane_batch, so_many_bytes_and_no_more)
{
    struct kw_lane_batch two = big_batch(2, 1);
    size_t around = raw_batch(&two).len + 64; /* signatures differ in length by a few bytes */
    size_t each = (KW_BATCH_LEN_MAX - around) / 2;

    expect_limit(big_batch(2, each), big_batch(2, each + 64));
}

/* One who fills a batch up to the soft limit stays below the hard one with any last change. */
Test(lane_batch, the_longest_change_fits_behind_a_full_batch)
{
    struct kw_lane_batch batch =
        big_batch(KW_BATCH_CHANGES_MAX, KW_BATCH_LEN_SOFT / (KW_BATCH_CHANGES_MAX - 1));
    static const uint8_t longest[KW_CHANGE_LEN_MAX];
    struct kw_change changes[KW_BATCH_CHANGES_MAX];

    kw_copy(changes, batch.changes, sizeof(changes));
    changes[KW_BATCH_CHANGES_MAX - 1].record = KW_BYTES_OF(longest);
    batch.changes = changes;
    cr_assert(is_written(&batch));
}

Test(lane_batch, without_memory_reading_fails_and_says_so)
{
    struct lane_owner owner = lane_owner_new(5);
    struct kw_arena *none = kw_arena_new(1);
    struct kw_error error = {0};
    struct kw_lane_batch batch;

    cr_assert_not(
        kw_ok(kw_lane_batch_decode(lane_batch_bytes(&owner, 2, 5), none, &batch, &error)));
    cr_assert_eq(error.reason, KW_E_MEMORY);
    MUST(kw_lane_batch_decode(lane_batch_bytes(&owner, 5, 5), none, &batch, err));
    kw_arena_free(none);
}

/* A batch can't make its reader ask for much memory by what it says of itself. */
Test(lane_batch, its_count_is_bounded_before_it_is_believed)
{
    struct kw_lane_batch batch = big_batch(KW_BATCH_CHANGES_MAX + 1, 1);
    struct kw_arena *none = kw_arena_new(1);
    struct kw_error error = {0};

    cr_assert_not(kw_ok(kw_lane_batch_decode(raw_batch(&batch), none, &batch, &error)));
    cr_assert_eq(error.reason, KW_E_ENCODING_INVALID);
    kw_arena_free(none);
}

/* --- heads --- */

static bool head_is_signed(struct kw_lane_head head, const struct kw_private_key *key)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    return kw_ok(kw_lane_head_sign(&head, key, &record, NULL));
}

Test(lane_head, numbers_are_such_that_a_database_holds_them)
{
    struct lane_owner owner = lane_owner_new(5);
    struct kw_lane_head head = {.lane = owner.lane, .point = owner.points[5]};

    head.closed = INT64_MAX;
    cr_assert(head_is_signed(head, owner.key));
    head.closed++;
    cr_assert_not(head_is_signed(head, owner.key));
    head.closed = 0;
    head.point.seq = 1ULL << 63;
    cr_assert_not(head_is_signed(head, owner.key));
}

static bool head_is_read_with(struct kw_bytes whole, size_t at, uint8_t byte)
{
    uint8_t changed[SMALL];

    kw_copy(changed, whole.data, whole.len);
    changed[at] = byte;
    return is_head(KW_BYTES(changed, whole.len));
}

Test(lane_head, numbers_that_no_database_holds_are_not_read)
{
    struct lane_owner owner = lane_owner_new(5);
    struct kw_bytes whole = lane_head(&owner, 5, 7);

    cr_assert(head_is_read_with(whole, 56, 0x7f));
    cr_assert_not(head_is_read_with(whole, 56, 0x80), "its number");
    cr_assert(head_is_read_with(whole, 96, 0x7f));
    cr_assert_not(head_is_read_with(whole, 96, 0x80), "what it closes");
    cr_assert_not(head_is_read_with(whole, 0, 'k'), "its magic");
}

/* A head as `key` would sign it, whatever curve it is on. */
static struct kw_bytes head_by(const struct lane_owner *owner, const struct kw_private_key *key)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key half = {0};
    struct kw_bytes content = KW_BYTES(lane_head(owner, 5, 7).data, 104);
    struct kw_buf message = {0};
    struct kw_writer w = KW_WRITER(&message);
    struct kw_signature signature;
    struct kw_bytes signed_part;
    struct kw_spki spki;

    MUST(kw_private_key_public(key, &half, err));
    MUST(kw_public_key_spki(&half, &spki, err));
    kw_put_raw(&w, kw_bytes_str("KEYWARD-LANE-HEAD-v1"));
    kw_put_raw(&w, content);
    kw_put_var(&w, kw_spki_bytes(&spki));
    MUST(kw_ecdsa_sign(key, kw_buf_bytes(&message), &signature, err));
    kw_put_var(&w, kw_signature_bytes(&signature));
    MUST(kw_writer_end(&w, err));
    signed_part = value_keep(&message);
    return KW_BYTES(signed_part.data + 20, signed_part.len - 20);
}

static enum kw_reason verification_of(struct kw_bytes record)
{
    struct kw_lane_head head;

    MUST(kw_lane_head_decode(record, &head, err));
    return kw_lane_head_verify(&head, NULL).reason;
}

Test(lane_head, only_p256_signs)
{
    struct lane_owner owner = lane_owner_new(5);
    struct kw_lane_head head = {.lane = owner.lane, .point = owner.points[5]};

    cr_assert_eq(verification_of(head_by(&owner, lane_key(0))), KW_E_NONE);
    cr_assert_eq(verification_of(head_by(&owner, lane_p384())), KW_E_SIGNATURE_INVALID);
    cr_assert_not(head_is_signed(head, lane_p384()));
}

/* Its digest may even be in the row: whoever wrote that has to know. */
Test(lane_head, a_key_that_is_none_signs_nothing)
{
    struct lane_owner owner = lane_owner_new(5);
    struct kw_lane_batch batch = lane_batch(&owner, 4, 5);
    struct kw_lane_held held = lane_held(&owner, 4);
    struct kw_bytes key = kw_bytes_str("key");
    uint8_t digest[KW_SHA256_LEN];
    struct kw_lane_finding finding;
    struct kw_record row;

    MUST(kw_sha256(key, digest, err));
    row = lane_row_with(&owner, KW_STORE_FIELD_SIGNERS, lane_set_of(KW_BYTES_OF(digest)));
    held.store = &row;
    batch.head.key = key;
    cr_assert_eq(kw_lane_head_verify(&batch.head, NULL).reason, KW_E_SIGNATURE_INVALID);
    MUST(kw_lane_check(&held, &batch, &finding, err));
    cr_assert_eq(finding.verdict, KW_LANE_UNSIGNED);
}

/* Of a key and a signature, either too long to be one. */
Test(lane_head, a_key_or_signature_of_any_length_is_not_read)
{
    static const uint8_t zeros[KW_SPKI_LEN_MAX + 1];
    struct lane_owner owner = lane_owner_new(5);
    struct kw_bytes content = KW_BYTES(lane_head(&owner, 5, 7).data, 104);
    static const size_t lens[][3] = {{1, 1, 1},
                                     {KW_SPKI_LEN_MAX, KW_SIGNATURE_LEN_MAX, 1},
                                     {0, 1, 0},
                                     {1, 0, 0},
                                     {KW_SPKI_LEN_MAX + 1, 1, 0},
                                     {1, KW_SIGNATURE_LEN_MAX + 1, 0}};

    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
        struct kw_writer w = KW_WRITER(&record);

        kw_put_raw(&w, content);
        kw_put_var(&w, KW_BYTES(zeros, lens[i][0]));
        kw_put_var(&w, KW_BYTES(zeros, lens[i][1]));
        cr_assert_eq(is_head(kw_buf_bytes(&record)), lens[i][2] == 1, "%zu", i);
    }
}
