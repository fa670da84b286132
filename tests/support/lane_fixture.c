/* See the header. */
#include "tests/support/lane_fixture.h"

#include "common/base/codec.h"
#include "common/sync/grow_set.h"
#include "tests/support/must.h"

#define KEYS 3

static const struct kw_id mesh = {{0x3e}};
static const struct kw_id incarnation = {{0x1c}};

const struct kw_private_key *lane_key(unsigned number)
{
    static struct kw_private_key keys[KEYS];

    if (keys[number].evp == NULL) {
        MUST(kw_private_key_generate(&keys[number], KW_CURVE_P256, err));
    }
    return &keys[number];
}

const struct kw_private_key *lane_p384(void)
{
    static struct kw_private_key key;

    if (key.evp == NULL) {
        MUST(kw_private_key_generate(&key, KW_CURVE_P384, err));
    }
    return &key;
}

struct kw_bytes lane_set_of(struct kw_bytes element)
{
    struct kw_buf set = {0};
    struct kw_writer w = KW_WRITER(&set);

    kw_put_set_element(&w, element);
    MUST(kw_writer_end(&w, err));
    return value_keep(&set);
}

struct kw_bytes lane_signer(const struct kw_private_key *key)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key half = {0};
    struct kw_spki spki;
    uint8_t digest[KW_SHA256_LEN];
    struct kw_bytes copy;

    MUST(kw_private_key_public(key, &half, err));
    MUST(kw_public_key_spki(&half, &spki, err));
    MUST(kw_sha256(kw_spki_bytes(&spki), digest, err));
    MUST(kw_arena_copy(values_arena(), KW_BYTES_OF(digest), &copy, err));
    return copy;
}

static void set(struct kw_record *row, enum kw_store_field field, struct kw_bytes value)
{
    MUST(kw_record_set(row, &kw_store_record, (uint8_t)field, value, err));
}

struct kw_record lane_row_with(const struct lane_owner *owner, enum kw_store_field field,
                               struct kw_bytes value)
{
    struct kw_record row = owner->row;

    set(&row, field, value);
    return row;
}

struct kw_record lane_row_fenced(const struct lane_owner *owner, uint64_t seq)
{
    struct kw_record row = lane_row_with(owner, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED));
    struct kw_buf fence = {0};
    struct kw_writer w = KW_WRITER(&fence);
    struct kw_id id;

    MUST(kw_lane_id(&owner->lane, &id, err));
    kw_put_raw(&w, kw_id_bytes(&id));
    kw_put_u64(&w, seq);
    MUST(kw_writer_end(&w, err));
    set(&row, KW_STORE_FIELD_FENCE, value_keep(&fence));
    return row;
}

static struct kw_record row_of(const struct lane_owner *owner)
{
    struct kw_record row = {.table = KW_TABLE_STORES};

    MUST(kw_arena_copy(values_arena(), kw_id_bytes(&owner->lane.store), &row.key, err));
    set(&row, KW_STORE_FIELD_STATE, value_u64(KW_STORE_ACTIVE));
    set(&row, KW_STORE_FIELD_SIGNERS, lane_set_of(lane_signer(owner->key)));
    set(&row, KW_STORE_FIELD_INCARNATIONS, lane_set_of(kw_id_bytes(&owner->lane.incarnation)));
    return row;
}

struct lane_owner lane_owner_new(size_t count)
{
    return lane_owner_of(store_a, 0, count);
}

struct lane_owner lane_owner_of(struct kw_id store, unsigned key, size_t count)
{
    struct lane_owner owner = {
        .lane = {.mesh = mesh, .store = store, .incarnation = incarnation, .writer = 1},
        .key = lane_key(key),
    };

    owner.row = row_of(&owner);
    MUST(kw_lane_start(&owner.lane, &owner.points[0], err));
    lane_grow(&owner, count, "");
    return owner;
}

void lane_grow(struct lane_owner *owner, size_t count, const char *mark)
{
    for (size_t i = 0; i < count; i++) {
        size_t n = ++owner->count;
        const char *text = kw_arena_printf(values_arena(), "change %zu%s", n, mark);

        REQUIRE(n <= LANE_CHANGES_MAX && text != NULL, "no room for change %zu", n);
        owner->changes[n] =
            (struct kw_change){.hlc = n * 10, .urgent = n % 4 == 0, .record = kw_bytes_str(text)};
        owner->points[n] = owner->points[n - 1];
        MUST(kw_lane_advance(&owner->points[n], &owner->changes[n], err));
    }
}

uint64_t lane_closed(size_t seq)
{
    return seq * 10 + 5;
}

struct kw_bytes lane_head(const struct lane_owner *owner, size_t seq, uint64_t closed)
{
    struct kw_lane_head head = {.lane = owner->lane, .point = owner->points[seq], .closed = closed};
    struct kw_buf record = {0};

    MUST(kw_lane_head_sign(&head, owner->key, &record, err));
    return value_keep(&record);
}

struct kw_bytes lane_batch_bytes(const struct lane_owner *owner, size_t from, size_t to)
{
    struct kw_lane_batch batch = {.from = owner->points[from],
                                  .head_record = lane_head(owner, to, lane_closed(to)),
                                  .changes = &owner->changes[from + 1],
                                  .count = to - from};
    struct kw_buf record = {0};

    MUST(kw_lane_batch_encode(&batch, &record, err));
    return value_keep(&record);
}

struct kw_lane_batch lane_batch_read(struct kw_bytes bytes)
{
    struct kw_lane_batch batch;

    MUST(kw_lane_batch_decode(bytes, values_arena(), &batch, err));
    return batch;
}

struct kw_lane_batch lane_batch(const struct lane_owner *owner, size_t from, size_t to)
{
    return lane_batch_read(lane_batch_bytes(owner, from, to));
}

struct kw_bytes lane_urgent_bytes(const struct lane_owner *owner, size_t seq)
{
    struct kw_urgent urgent = {
        .lane = owner->lane, .point = owner->points[seq], .change = owner->changes[seq]};
    struct kw_buf record = {0};

    MUST(kw_urgent_sign(&urgent, owner->key, &record, err));
    return value_keep(&record);
}

struct kw_urgent lane_urgent(const struct lane_owner *owner, size_t seq)
{
    struct kw_urgent urgent;

    MUST(kw_urgent_decode(lane_urgent_bytes(owner, seq), &urgent, err));
    return urgent;
}

struct kw_lane_held lane_held(const struct lane_owner *owner, size_t seq)
{
    return (struct kw_lane_held){.mesh = owner->lane.mesh,
                                 .store = &owner->row,
                                 .point = owner->points[seq],
                                 .closed = seq > 0 ? lane_closed(seq) : 0};
}

struct kw_answer lane_answer(struct kw_question question, const struct kw_bytes *items,
                             size_t count)
{
    return (struct kw_answer){.mesh = question.mesh,
                              .to = question.ask,
                              .next = question.ask.from,
                              .items = items,
                              .count = count};
}

enum kw_reason lane_answer_sign(const struct kw_answer *answer)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_answer read;
    struct kw_result made = kw_answer_sign(answer, lane_key(0), &record, NULL);

    if (kw_ok(made)) {
        MUST(kw_answer_decode(kw_buf_bytes(&record), values_arena(), &read, err));
        MUST(kw_answer_verify(&read, err));
        cr_assert(kw_answer_place_equal(&read.next, &answer->next));
    }
    return made.reason;
}
