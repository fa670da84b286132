/* Lanes of tests/vectors/formats.json: what Python made by itself from the document comes out byte for
 * byte, and its signatures verify. Then: every part of a name, and of a change, is in its chain. */
#include "common/feed/orphans.h"
#include "common/feed/voucher.h"
#include "common/sync/grow_set.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"

#include <jansson.h>

static const json_t *formats(void)
{
    static json_t *all; /* lives as long as the process */

    if (all == NULL) {
        all = json_load_file(KW_SOURCE_DIR "/tests/vectors/formats.json", 0, NULL);
    }
    return all;
}

static const json_t *vector(void)
{
    REQUIRE(json_object_get(formats(), "lane") != NULL, "no lane in formats.json");
    return json_object_get(formats(), "lane");
}

static struct kw_bytes bytes_of(const json_t *object, const char *name)
{
    const char *hex = json_string_value(json_object_get(object, name));
    size_t len = hex != NULL ? strlen(hex) / 2 : 0;
    uint8_t *bytes = kw_arena_alloc(values_arena(), len);

    REQUIRE(hex != NULL && bytes != NULL, "no %s", name);
    MUST(kw_unhex(hex, bytes, len, err));
    return KW_BYTES(bytes, len);
}

static struct kw_id id_of(const char *name)
{
    struct kw_id id;

    MUST(kw_id_from_bytes(bytes_of(vector(), name), &id, err));
    return id;
}

static uint64_t number_of(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

static struct kw_lane lane_of_vector(void)
{
    return (struct kw_lane){.mesh = id_of("mesh"),
                            .store = id_of("store"),
                            .incarnation = id_of("incarnation"),
                            .writer = (uint32_t)number_of(vector(), "writer")};
}

static struct kw_change change_of_vector(size_t n)
{
    const json_t *change = json_array_get(json_object_get(vector(), "changes"), n - 1);

    return (struct kw_change){.hlc = number_of(change, "hlc"),
                              .urgent = number_of(change, "urgent") == 1,
                              .record = bytes_of(change, "record")};
}

static struct kw_bytes chain_of_vector(size_t n)
{
    return bytes_of(json_array_get(json_object_get(vector(), "changes"), n - 1), "chain");
}

Test(lane, the_chain_is_the_vectors)
{
    struct kw_lane lane = lane_of_vector();
    struct kw_lane_point point;
    struct kw_id id;

    MUST(kw_lane_start(&lane, &point, err));
    MUST(kw_lane_id(&lane, &id, err));
    cr_assert_eq(point.seq, 0);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(point.chain), bytes_of(vector(), "start")));
    cr_assert(kw_id_equal(id, id_of("id")));
    for (size_t n = 1; n <= 3; n++) {
        struct kw_change change = change_of_vector(n);

        MUST(kw_lane_advance(&point, &change, err));
        cr_assert_eq(point.seq, n);
        cr_assert(kw_bytes_equal(KW_BYTES_OF(point.chain), chain_of_vector(n)), "%zu", n);
    }
}

Test(lane, the_head_is_the_vectors_and_verifies)
{
    struct kw_lane lane = lane_of_vector();
    struct kw_lane_head head;

    MUST(kw_lane_head_decode(bytes_of(vector(), "head"), &head, err));
    cr_assert(kw_id_equal(head.lane.mesh, lane.mesh));
    cr_assert(kw_id_equal(head.lane.store, lane.store));
    cr_assert(kw_id_equal(head.lane.incarnation, lane.incarnation));
    cr_assert_eq(head.lane.writer, lane.writer);
    cr_assert_eq(head.point.seq, 3);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(head.point.chain), chain_of_vector(3)));
    cr_assert_eq(head.closed, number_of(vector(), "closed"));
    MUST(kw_lane_head_verify(&head, err));
}

Test(lane, the_batch_is_the_vectors_bytes)
{
    struct kw_lane_batch batch = lane_batch_read(bytes_of(vector(), "batch"));
    struct kw_buf again = {0};

    cr_assert_eq(batch.count, 2);
    cr_assert_eq(batch.from.seq, 1);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(batch.from.chain), chain_of_vector(1)));
    cr_assert(kw_bytes_equal(batch.head_record, bytes_of(vector(), "head")));
    for (size_t i = 0; i < 2; i++) {
        struct kw_change change = change_of_vector(i + 2);

        cr_assert_eq(batch.changes[i].hlc, change.hlc);
        cr_assert_eq(batch.changes[i].urgent, change.urgent);
        cr_assert(kw_bytes_equal(batch.changes[i].record, change.record));
    }
    MUST(kw_lane_batch_encode(&batch, &again, err));
    cr_assert(kw_bytes_equal(value_keep(&again), bytes_of(vector(), "batch")));
}

Test(lane, the_urgent_change_is_the_vectors_and_verifies)
{
    struct kw_change change = change_of_vector(2);
    struct kw_urgent urgent;

    MUST(kw_urgent_decode(bytes_of(vector(), "urgent"), &urgent, err));
    cr_assert_eq(urgent.lane.writer, lane_of_vector().writer);
    cr_assert_eq(urgent.point.seq, 2);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(urgent.point.chain), chain_of_vector(2)));
    cr_assert_eq(urgent.change.hlc, change.hlc);
    cr_assert(urgent.change.urgent);
    cr_assert(kw_bytes_equal(urgent.change.record, change.record));
    MUST(kw_urgent_verify(&urgent, err));
}

static void trust_of_vector(struct kw_voucher_trust *trust, struct kw_trust *services)
{
    MUST(kw_trust_from_pem(services, bytes_of(formats(), "services_ca_pem"), err));
    MUST(kw_spiffe_service("keyward.test", "eu-1", "b", "authz", &trust->self, err));
    trust->services = services;
}

Test(lane, the_voucher_is_the_vectors_and_is_believed)
{
    KW_SCOPED(kw_trust_done) struct kw_trust services = {0};
    const json_t *about = json_object_get(vector(), "voucher");
    struct kw_voucher_trust trust = {0};
    enum kw_lane_verdict verdict;
    struct kw_voucher voucher;

    trust_of_vector(&trust, &services);
    MUST(kw_voucher_read(bytes_of(about, "record"), id_of("mesh"), &trust,
                         number_of(about, "issued"), &voucher, &verdict, err));
    cr_assert_eq(verdict, KW_LANE_NEWS);
    cr_assert(kw_bytes_equal(kw_id_bytes(&voucher.seed), bytes_of(about, "seed")));
    cr_assert(kw_bytes_equal(kw_id_bytes(&voucher.store), bytes_of(about, "store")));
    cr_assert(kw_id_equal(voucher.incarnation, id_of("incarnation")));
    cr_assert_eq(voucher.issued_ms, number_of(about, "issued"));
    cr_assert_eq(voucher.chain_count, 2);
    cr_assert_eq(kw_set_count(voucher.signers), 2);
    cr_assert_eq(kw_set_count(voucher.lives), 2);
    cr_assert_eq(kw_set_count(voucher.settled), 1);
}

static struct kw_result count_changes(void *context, const struct kw_orphans *orphans,
                                      struct kw_bytes record, const struct kw_lane_batch *batch,
                                      struct kw_error *err)
{
    (void)err;
    cr_assert_eq(orphans->lanes[0].from.seq, batch->from.seq);
    cr_assert(kw_bytes_equal(record, bytes_of(vector(), "batch")));
    *(size_t *)context += batch->count;
    return KW_OK;
}

Test(lane, the_orphans_are_the_vectors_and_whole)
{
    const json_t *about = json_object_get(vector(), "orphans");
    struct kw_bytes record = bytes_of(about, "record");
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_orphans orphans;
    size_t changes = 0;
    size_t fixed = 4 + 2 * KW_ID_LEN + 8 + 2 + KW_ID_LEN + 4 + 2 * (8 + KW_SHA256_LEN);

    MUST(kw_orphans_decode(record, &orphans, err));
    MUST(kw_orphans_verify(&orphans, err));
    cr_assert(kw_id_equal(orphans.store, id_of("store")));
    cr_assert_eq(orphans.lane_count, 1);
    cr_assert_eq(orphans.lanes[0].writer, lane_of_vector().writer);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(orphans.lanes[0].to.chain), chain_of_vector(3)));
    MUST(kw_orphans_sign(&orphans, lane_key(0), &again, err));
    cr_assert(kw_bytes_equal(KW_BYTES(again.data, fixed), KW_BYTES(record.data, fixed)));
    MUST(kw_orphans_walk(bytes_of(about, "file"), count_changes, &changes, err));
    cr_assert_eq(changes, 2);
}

/* What we write is what the vectors have, but for the signature. */
Test(lane, what_is_signed_is_written_as_the_vectors_are)
{
    KW_SCOPED(kw_buf_done) struct kw_buf head_record = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf urgent_record = {0};
    struct kw_bytes expected = bytes_of(vector(), "head");
    struct kw_lane_head head;
    struct kw_urgent urgent;
    size_t fixed = 4 + 52 + 8 + KW_SHA256_LEN + 8;

    MUST(kw_lane_head_decode(expected, &head, err));
    MUST(kw_lane_head_sign(&head, lane_key(0), &head_record, err));
    cr_assert(kw_bytes_equal(KW_BYTES(head_record.data, fixed), KW_BYTES(expected.data, fixed)));
    expected = bytes_of(vector(), "urgent");
    MUST(kw_urgent_decode(expected, &urgent, err));
    MUST(kw_urgent_sign(&urgent, lane_key(0), &urgent_record, err));
    fixed += 4 + urgent.change.record.len;
    cr_assert(kw_bytes_equal(KW_BYTES(urgent_record.data, fixed), KW_BYTES(expected.data, fixed)));
}

/* --- what the chain covers --- */

static bool starts_alike(const struct kw_lane *a, const struct kw_lane *b)
{
    struct kw_lane_point one;
    struct kw_lane_point other;

    MUST(kw_lane_start(a, &one, err));
    MUST(kw_lane_start(b, &other, err));
    return kw_lane_point_equal(&one, &other);
}

Test(lane, no_two_names_start_alike)
{
    struct kw_lane lane = lane_of_vector();
    struct kw_lane others[] = {lane, lane, lane, lane};

    others[0].mesh = store_b;
    others[1].store = store_b;
    others[2].incarnation = store_b;
    others[3].writer++;
    cr_assert(starts_alike(&lane, &lane));
    for (size_t i = 0; i < 4; i++) {
        cr_assert_not(starts_alike(&lane, &others[i]), "%zu", i);
    }
}

Test(lane, no_two_changes_lead_to_one_point)
{
    struct kw_change change = {.hlc = 7, .record = kw_bytes_str("record")};
    struct kw_change changes[] = {change, change, change, change, change};
    struct kw_lane_point froms[5] = {{.seq = 3}, {.seq = 3}, {.seq = 3}, {.seq = 3}, {.seq = 4}};
    struct kw_lane_point usual = {.seq = 3};

    changes[0].hlc++;
    changes[1].urgent = true;
    changes[2].record = kw_bytes_str("Record");
    froms[3].chain[0] = 1;
    MUST(kw_lane_advance(&usual, &change, err));
    for (size_t i = 0; i < 5; i++) {
        MUST(kw_lane_advance(&froms[i], &changes[i], err));
        cr_assert_not(kw_bytes_equal(KW_BYTES_OF(froms[i].chain), KW_BYTES_OF(usual.chain)), "%zu",
                      i);
    }
}

Test(lane, points_are_equal_in_number_and_chain)
{
    struct kw_lane_point point = {.seq = 3, .chain = {1}};
    struct kw_lane_point later = {.seq = 4, .chain = {1}};
    struct kw_lane_point other = {.seq = 3, .chain = {2}};

    cr_assert(kw_lane_point_equal(&point, &point));
    cr_assert_not(kw_lane_point_equal(&point, &later));
    cr_assert_not(kw_lane_point_equal(&point, &other));
}
