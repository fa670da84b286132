/* Lane heads (KWL1), batches (KWN1), urgent changes (KWU1), answers (KWD1) and orphans (KWY1, and their file). Each is
 * canonical. A receiver that trusts no key of their store lets nothing in; one that trusts the key it is shown lets in
 * what continues what it holds, leads to its head, and is signed. Signatures cost nothing here, so that what comes
 * after them is reached: one counts unless its last byte is 0xee.
 *
 * Input: how u8 (1: trusts, 2: holds a rival, 4: it forked, 8: it is fenced) ‖ how far the receiver holds
 * the lane u8 ‖ what is closed there u32 ‖ a record of the five, or a file. */
#include "common/feed/answer_check.h"
#include "common/feed/lane_check.h"
#include "common/feed/lane_codec.h"
#include "common/feed/orphans.h"
#include "common/sync/grow_set.h"
#include "tests/fuzz/fuzz.h"

#define ARENA_MAX (1024U * 1024U)
#define BAD       0xee

/* The linker puts these before the real ones (--wrap). */
struct kw_result __wrap_kw_ecdsa_verify(const struct kw_public_key *key, struct kw_bytes message,
                                        struct kw_bytes signature, struct kw_error *err);
struct kw_result __wrap_kw_public_key_from_spki(struct kw_public_key *key, struct kw_bytes spki,
                                                struct kw_error *err);
struct kw_result __real_kw_public_key_from_spki(struct kw_public_key *key, struct kw_bytes spki,
                                                struct kw_error *err);

struct kw_result __wrap_kw_ecdsa_verify(const struct kw_public_key *key, struct kw_bytes message,
                                        struct kw_bytes signature, struct kw_error *err)
{
    (void)key;
    KW_FUZZ_CHECK(message.len > 0);
    KW_ENSURE(signature.data[signature.len - 1] != BAD, err, SIGNATURE_INVALID, "a bad one");
    return KW_OK;
}

/* Remembers the first good key, which is that of the honest files. */
struct kw_result __wrap_kw_public_key_from_spki(struct kw_public_key *key, struct kw_bytes spki,
                                                struct kw_error *err)
{
    static struct kw_public_key first;
    static struct kw_spki first_spki;

    if (first.evp != NULL && kw_bytes_equal(spki, kw_spki_bytes(&first_spki))) {
        return kw_public_key_share(&first, key, err);
    }
    KW_TRY(__real_kw_public_key_from_spki(key, spki, err));
    if (first.evp == NULL) {
        KW_FUZZ_MUST(kw_public_key_share(key, &first, NULL));
        KW_FUZZ_MUST(kw_public_key_spki(key, &first_spki, NULL));
    }
    return KW_OK;
}

enum how {
    TRUSTS = 1,
    RIVAL = 2,
    FORKED = 4,
    FENCED = 8,
};

struct receiver {
    uint8_t how;
    uint8_t reach;
    uint32_t closed;
    struct kw_arena *arena;
    struct kw_record row;
};

static struct kw_bytes set_of(struct receiver *receiver, struct kw_bytes element)
{
    KW_SCOPED(kw_buf_done) struct kw_buf set = {0};
    struct kw_writer w = KW_WRITER(&set);
    struct kw_bytes copy;

    kw_put_set_element(&w, element);
    KW_FUZZ_MUST(kw_writer_end(&w, NULL));
    KW_FUZZ_MUST(kw_arena_copy(receiver->arena, kw_buf_bytes(&set), &copy, NULL));
    return copy;
}

static void set(struct kw_record *row, enum kw_store_field field, struct kw_bytes value)
{
    KW_FUZZ_MUST(kw_record_set(row, &kw_store_record, (uint8_t)field, value, NULL));
}

/* A row of the lane's store, whatever store it says it is of. */
static struct kw_lane_held held_of(struct receiver *receiver, const struct kw_lane *lane,
                                   struct kw_bytes key, struct kw_lane_point point)
{
    static const uint8_t fenced[8] = {[7] = KW_STORE_FENCED};
    uint8_t digest[KW_SHA256_LEN];

    KW_FUZZ_MUST(kw_sha256(key, digest, NULL));
    digest[0] ^= (receiver->how & TRUSTS) != 0 ? 0 : 1;
    receiver->row = (struct kw_record){.table = KW_TABLE_STORES, .key = kw_id_bytes(&lane->store)};
    if ((receiver->how & FENCED) != 0) {
        set(&receiver->row, KW_STORE_FIELD_STATE, KW_BYTES_OF(fenced));
    }
    set(&receiver->row, KW_STORE_FIELD_SIGNERS, set_of(receiver, KW_BYTES_OF(digest)));
    set(&receiver->row, KW_STORE_FIELD_INCARNATIONS,
        set_of(receiver, kw_id_bytes(&lane->incarnation)));
    point.chain[0] ^= (receiver->how & RIVAL) != 0 ? 1 : 0;
    return (struct kw_lane_held){.mesh = lane->mesh,
                                 .store = &receiver->row,
                                 .point = point,
                                 .closed = receiver->closed,
                                 .forked = (receiver->how & FORKED) != 0};
}

/* So far along the batch, or the start of its lane. */
static struct kw_lane_point reach(const struct receiver *receiver,
                                  const struct kw_lane_batch *batch)
{
    struct kw_lane_point point = batch->from;

    if (receiver->reach > batch->count) {
        KW_FUZZ_MUST(kw_lane_start(&batch->head.lane, &point, NULL));
        return point;
    }
    for (size_t i = 0; i < receiver->reach; i++) {
        KW_FUZZ_MUST(kw_lane_advance(&point, &batch->changes[i], NULL));
    }
    return point;
}

static void news(const struct kw_lane_held *held, const struct kw_lane_batch *batch,
                 const struct kw_lane_finding *finding)
{
    struct kw_lane_point point = held->point;

    KW_FUZZ_MUST(kw_lane_head_verify(&batch->head, NULL));
    KW_FUZZ_CHECK(batch->count - finding->skip > 0);
    for (size_t i = finding->skip; i < batch->count; i++) {
        KW_FUZZ_MUST(kw_lane_advance(&point, &batch->changes[i], NULL));
    }
    KW_FUZZ_CHECK(kw_lane_point_equal(&point, &batch->head.point));
    KW_FUZZ_CHECK(kw_lane_point_equal(&point, &finding->point));
}

static void judge(struct receiver *receiver, const struct kw_lane_batch *batch)
{
    struct kw_lane_held held =
        held_of(receiver, &batch->head.lane, batch->head.key, reach(receiver, batch));
    struct kw_lane_finding finding;

    KW_FUZZ_CHECK(batch->head.point.seq <= INT64_MAX && batch->head.closed <= INT64_MAX);
    KW_FUZZ_MUST(kw_lane_check(&held, batch, &finding, NULL));
    KW_FUZZ_CHECK(finding.verdict != 0 && finding.closed >= held.closed);
    KW_FUZZ_CHECK(finding.closed == held.closed || finding.closed == batch->head.closed);
    if (finding.verdict == KW_LANE_NEWS) {
        news(&held, batch, &finding);
    } else {
        KW_FUZZ_CHECK(kw_lane_point_equal(&finding.point, &held.point));
    }
    if (receiver->how != TRUSTS) {
        KW_FUZZ_CHECK(finding.verdict != KW_LANE_NEWS);
        KW_FUZZ_CHECK(finding.closed == held.closed || (receiver->how & TRUSTS) != 0);
    }
}

static void batch_record(struct receiver *receiver, struct kw_bytes record)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_lane_batch batch;
    struct kw_error err = {0};

    if (kw_fuzz_accepted(kw_lane_batch_decode(record, receiver->arena, &batch, &err), &err)) {
        KW_FUZZ_MUST(kw_lane_batch_encode(&batch, &again, NULL));
        KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), record));
        judge(receiver, &batch);
    }
}

static void head_record(struct receiver *receiver, struct kw_bytes record)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_writer w = KW_WRITER(&again);
    struct kw_lane_head head;
    struct kw_error err = {0};

    if (!kw_fuzz_accepted(kw_lane_head_decode(record, &head, &err), &err)) {
        return;
    }
    kw_put_raw(&w, kw_bytes_str("KWL1"));
    kw_put_lane(&w, &head.lane);
    kw_put_point(&w, &head.point);
    kw_put_u64(&w, head.closed);
    kw_put_var(&w, head.key);
    kw_put_var(&w, head.signature);
    KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), record));
    judge(receiver,
          &(struct kw_lane_batch){.from = head.point, .head = head, .head_record = record});
}

static void judge_urgent(struct receiver *receiver, const struct kw_urgent *urgent)
{
    struct kw_lane_held held;
    struct kw_lane_point point = urgent->point;
    enum kw_lane_verdict verdict;

    point.seq = receiver->reach > 1 ? receiver->reach : point.seq - (receiver->reach == 0 ? 1 : 0);
    held = held_of(receiver, &urgent->lane, urgent->key, point);
    KW_FUZZ_MUST(kw_urgent_check(&held, urgent, &verdict, NULL));
    KW_FUZZ_CHECK(verdict != 0);
    if (verdict == KW_LANE_NEWS) {
        KW_FUZZ_CHECK((receiver->how & TRUSTS) != 0 && (receiver->how & FENCED) == 0);
        KW_FUZZ_MUST(kw_urgent_verify(urgent, NULL));
    }
    if (verdict == KW_LANE_KNOWN) {
        KW_FUZZ_CHECK(held.point.seq >= urgent->point.seq && (receiver->how & RIVAL) == 0);
    }
}

static void urgent_record(struct receiver *receiver, struct kw_bytes record)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_writer w = KW_WRITER(&again);
    struct kw_urgent urgent;
    struct kw_error err = {0};

    if (!kw_fuzz_accepted(kw_urgent_decode(record, &urgent, &err), &err)) {
        return;
    }
    KW_FUZZ_CHECK(urgent.change.urgent && urgent.point.seq > 0);
    kw_put_raw(&w, kw_bytes_str("KWU1"));
    kw_put_lane(&w, &urgent.lane);
    kw_put_point(&w, &urgent.point);
    kw_put_u64(&w, urgent.change.hlc);
    kw_put_change_record(&w, urgent.change.record);
    kw_put_var(&w, urgent.key);
    kw_put_var(&w, urgent.signature);
    KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), record));
    judge_urgent(receiver, &urgent);
}

/* Whoever it is that answers, to whatever: `reach` odd, it was not asked. */
static void judge_answer(struct receiver *receiver, const struct kw_answer *answer)
{
    const struct kw_lane lane = {.mesh = answer->mesh, .store = answer->to.store};
    struct kw_ask ask = answer->to;
    enum kw_answer_verdict verdict;

    (void)held_of(receiver, &lane, answer->key, (struct kw_lane_point){0});
    ask.nonce.bytes[0] ^= receiver->reach & 1;
    KW_FUZZ_MUST(kw_answer_check(answer->mesh, &ask, &receiver->row, answer, &verdict, NULL));
    KW_FUZZ_CHECK(verdict != 0);
    if (verdict == KW_ANSWER_GOOD) {
        KW_FUZZ_CHECK((receiver->how & TRUSTS) != 0 && (receiver->how & FENCED) == 0);
        KW_FUZZ_CHECK((receiver->reach & 1) == 0);
        KW_FUZZ_MUST(kw_answer_verify(answer, NULL));
    }
}

static void put_place(struct kw_writer *w, const struct kw_answer_place *place)
{
    kw_put_u8(w, (uint8_t)place->section);
    kw_put_u16(w, place->table);
    kw_put_var(w, place->key);
}

static void put_items(struct kw_writer *w, const struct kw_answer *answer)
{
    kw_put_u16(w, (uint16_t)answer->count);
    for (size_t i = 0; i < answer->count; i++) {
        struct kw_waiting waiting;

        (void)kw_waiting_decode(answer->items[i], &waiting, NULL);
        kw_put_u32(w, (uint32_t)answer->items[i].len);
        kw_put_raw(w, answer->items[i]);
    }
}

static void answer_record(struct receiver *receiver, struct kw_bytes record)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_writer w = KW_WRITER(&again);
    struct kw_answer answer;
    struct kw_error err = {0};

    if (!kw_fuzz_accepted(kw_answer_decode(record, receiver->arena, &answer, &err), &err)) {
        return;
    }
    kw_put_raw(&w, kw_bytes_str("KWD1"));
    kw_put_raw(&w, kw_id_bytes(&answer.mesh));
    kw_put_raw(&w, kw_id_bytes(&answer.to.store));
    kw_put_u8(&w, (uint8_t)answer.to.purpose);
    kw_put_raw(&w, kw_id_bytes(&answer.to.nonce));
    put_place(&w, &answer.to.from);
    put_place(&w, &answer.next);
    kw_put_raw(&w, KW_BYTES_OF(answer.reach));
    put_items(&w, &answer);
    kw_put_var(&w, answer.key);
    kw_put_var(&w, answer.signature);
    KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), record));
    judge_answer(receiver, &answer);
}

static void put_orphans(struct kw_writer *w, const struct kw_orphans *orphans)
{
    kw_put_raw(w, kw_bytes_str("KWY1"));
    kw_put_raw(w, kw_id_bytes(&orphans->mesh));
    kw_put_raw(w, kw_id_bytes(&orphans->store));
    kw_put_u64(w, orphans->made_ms);
    kw_put_u16(w, (uint16_t)orphans->lane_count);
    for (size_t i = 0; i < orphans->lane_count; i++) {
        kw_put_raw(w, kw_id_bytes(&orphans->lanes[i].incarnation));
        kw_put_u32(w, orphans->lanes[i].writer);
        kw_put_point(w, &orphans->lanes[i].from);
        kw_put_point(w, &orphans->lanes[i].to);
    }
    kw_put_var(w, orphans->key);
    kw_put_var(w, orphans->signature);
}

static void orphans_record(struct kw_bytes record)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_writer w = KW_WRITER(&again);
    struct kw_orphans orphans;
    struct kw_error err = {0};

    if (kw_fuzz_accepted(kw_orphans_decode(record, &orphans, &err), &err)) {
        put_orphans(&w, &orphans);
        KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), record));
        (void)kw_orphans_verify(&orphans, NULL);
    }
}

/* What is visited leads, batch by batch, to where each lane ends. */
struct walked {
    uint64_t changes;
    uint64_t promised;
};

static struct kw_result note_batch(void *context, const struct kw_orphans *orphans,
                                   struct kw_bytes record, const struct kw_lane_batch *batch,
                                   struct kw_error *err)
{
    struct walked *walked = context;

    (void)record;
    (void)err;
    KW_FUZZ_CHECK(kw_orphans_lane(orphans, batch) != NULL && batch->count > 0);
    walked->changes += batch->count;
    walked->promised = 0;
    for (size_t i = 0; i < orphans->lane_count; i++) {
        walked->promised += orphans->lanes[i].to.seq - orphans->lanes[i].from.seq;
    }
    return KW_OK;
}

static void orphans_file(struct kw_bytes file)
{
    struct walked walked = {0};

    if (kw_ok(kw_orphans_walk(file, note_batch, &walked, NULL))) {
        KW_FUZZ_CHECK(walked.changes == walked.promised);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    struct receiver receiver = {.how = kw_fuzz_u8(&input) & (TRUSTS | RIVAL | FORKED | FENCED),
                                .reach = kw_fuzz_u8(&input),
                                .closed = kw_fuzz_u32(&input),
                                .arena = kw_arena_new(ARENA_MAX)};

    KW_FUZZ_CHECK(receiver.arena != NULL);
    batch_record(&receiver, input.rest);
    head_record(&receiver, input.rest);
    urgent_record(&receiver, input.rest);
    answer_record(&receiver, input.rest);
    orphans_record(input.rest);
    orphans_file(input.rest);
    kw_arena_free(receiver.arena);
    return 0;
}
