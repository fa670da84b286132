/* The record KWD1. What a reader refuses a writer does not write. */
#include "common/feed/answer.h"

#include "common/feed/answer_codec.h"
#include "common/feed/digest_node.h"
#include "common/feed/lane_codec.h"
#include "common/feed/log_copy.h"
#include "common/sync/order.h"
#include "common/sync/record.h"

#define MAGIC "KWD1"
#define LABEL "KEYWARD-ANSWER-v1"

/* --- places --- */

bool kw_answer_place_equal(const struct kw_answer_place *a, const struct kw_answer_place *b)
{
    return a->section == b->section && a->table == b->table && kw_bytes_equal(a->key, b->key);
}

void kw_put_answer_place(struct kw_writer *w, const struct kw_answer_place *place)
{
    kw_put_u8(w, (uint8_t)place->section);
    kw_put_u16(w, place->table);
    kw_put_var(w, place->key);
}

void kw_get_answer_place(struct kw_reader *r, struct kw_answer_place *ret_place)
{
    ret_place->section = (enum kw_answer_section)kw_get_u8(r);
    ret_place->table = kw_get_u16(r);
    ret_place->key = kw_get_var(r);
}

bool kw_answer_place_fits(const struct kw_answer_place *place, enum kw_ask_purpose purpose)
{
    size_t key_len_max =
        KW_RECORD_KEY_LEN_MAX + (purpose == KW_ASK_DIGESTS ? KW_DIGEST_NAME_LEN : 0);

    return place->section >= KW_SECTION_LANES && place->section <= KW_SECTION_END &&
           place->key.len <= key_len_max &&
           (place->section == KW_SECTION_ROWS) == (place->table != 0) &&
           (place->section != KW_SECTION_END || place->key.len == 0);
}

static bool is_after(const struct kw_answer_place *b, const struct kw_answer_place *a)
{
    if (b->section != a->section) {
        return b->section > a->section;
    }
    return b->table != a->table ? b->table > a->table : kw_bytes_order(b->key, a->key) > 0;
}

/* --- what fits --- */

static bool is_node(const struct kw_answer_place *from)
{
    struct kw_digest_node node;
    struct kw_bytes after;

    return from->section == KW_SECTION_ROWS &&
           (from->key.len == 0 || kw_digest_named(from->table, from->key, &node, &after));
}

static bool is_in_log(const struct kw_answer_place *place)
{
    struct kw_log_ask ask;

    return place->section == KW_SECTION_LANES && kw_ok(kw_log_key_read(place->key, &ask, NULL));
}

const char *kw_ask_fault(const struct kw_ask *ask)
{
    const struct kw_answer_place *from = &ask->from;

    if (!kw_answer_place_fits(from, ask->purpose) || from->section == KW_SECTION_END) {
        return "a place that is none";
    }
    switch (ask->purpose) {
    case KW_ASK_SNAPSHOT:
        return NULL;
    case KW_ASK_REPAIR:
        return from->section == KW_SECTION_ROWS && from->key.len == 0
                   ? NULL
                   : "a repair is of rows of one table";
    case KW_ASK_LANES:
        return from->section == KW_SECTION_LANES ? NULL : "lanes are among lanes";
    case KW_ASK_DIGESTS:
        return is_node(from) ? NULL : "there is no such node of digests";
    case KW_ASK_CHAINS:
    case KW_ASK_SEGMENT:
        return is_in_log(from) ? NULL : "that is no place in a log";
    }
    return "a purpose that is none";
}

/* Rows of a bucket may go on behind those that fit. */
static bool is_behind(const struct kw_answer_place *next, const struct kw_answer_place *from)
{
    return from->key.len >= KW_DIGEST_NAME_LEN && from->key.data[0] == KW_DIGEST_LEVELS &&
           next->section == from->section && next->table == from->table &&
           next->key.len > KW_DIGEST_NAME_LEN &&
           kw_bytes_equal(KW_BYTES(next->key.data, KW_DIGEST_NAME_LEN),
                          KW_BYTES(from->key.data, KW_DIGEST_NAME_LEN)) &&
           is_after(next, from);
}

/* What is wrong with what is asked and where it goes on, or NULL. */
static const char *place_fault(const struct kw_answer *answer)
{
    const struct kw_answer_place *from = &answer->to.from;
    const char *wrong = kw_ask_fault(&answer->to);
    bool is_end = kw_answer_place_equal(from, &answer->next);
    bool leads_on = is_end;

    if (wrong != NULL || !kw_answer_place_fits(&answer->next, answer->to.purpose)) {
        return wrong != NULL ? wrong : "a place that is none";
    }
    switch (answer->to.purpose) {
    case KW_ASK_SNAPSHOT:
        leads_on = is_after(&answer->next, from);
        break;
    case KW_ASK_LANES:
        leads_on = is_after(&answer->next, from) && (answer->next.section == KW_SECTION_LANES ||
                                                     answer->next.section == KW_SECTION_END);
        break;
    case KW_ASK_DIGESTS:
        leads_on = is_end || is_behind(&answer->next, from);
        break;
    case KW_ASK_CHAINS:
        leads_on = is_end || (is_in_log(&answer->next) && is_after(&answer->next, from));
        break;
    case KW_ASK_REPAIR:
    case KW_ASK_SEGMENT:
        break;
    }
    return leads_on ? NULL : "it does not lead on";
}

static bool is_row_of(struct kw_bytes item, uint16_t table)
{
    struct kw_bytes key;
    uint16_t number;

    return kw_record_peek(item, &number, &key) && number == table;
}

/* Of roots: table u16 ‖ digest; of children: digest; of rows: digest ‖ key. */
static bool is_digest(struct kw_bytes item, const struct kw_answer_place *from)
{
    if (from->key.len == 0) {
        return item.len == 2 + KW_SHA256_LEN;
    }
    return from->key.data[0] == KW_DIGEST_LEVELS
               ? item.len > KW_SHA256_LEN && item.len <= KW_SHA256_LEN + KW_RECORD_KEY_LEN_MAX
               : item.len == KW_SHA256_LEN;
}

static bool is_lane(struct kw_bytes item)
{
    struct kw_answer_lane lane;

    return kw_ok(kw_answer_lane_decode(item, &lane, NULL));
}

static bool item_fits(const struct kw_answer *answer, struct kw_bytes item)
{
    const struct kw_answer_place *from = &answer->to.from;

    switch (answer->to.purpose) {
    case KW_ASK_LANES:
        return is_lane(item);
    case KW_ASK_DIGESTS:
        return is_digest(item, from);
    case KW_ASK_CHAINS:
        return item.len == KW_LOG_CHAIN_LEN && answer->count <= KW_LOG_CHAINS_MAX;
    case KW_ASK_SEGMENT:
        return answer->count == 1 && item.len > 0 && item.len <= KW_SEGMENT_LEN_MAX;
    case KW_ASK_SNAPSHOT:
    case KW_ASK_REPAIR:
        break;
    }
    return item.len > 0 && item.len <= KW_ANSWER_ITEM_LEN_MAX &&
           (from->section != KW_SECTION_ROWS || is_row_of(item, from->table));
}

static bool has_all_children(const struct kw_answer *answer)
{
    const struct kw_bytes *key = &answer->to.from.key;

    return answer->to.purpose != KW_ASK_DIGESTS || key->len == 0 ||
           key->data[0] == KW_DIGEST_LEVELS || answer->count == KW_DIGEST_FAN;
}

static const char *fault(const struct kw_answer *answer)
{
    const char *wrong = place_fault(answer);

    if (wrong == NULL && !has_all_children(answer)) {
        return "a node without its children";
    }
    for (size_t i = 0; i < answer->count && wrong == NULL; i++) {
        wrong = item_fits(answer, answer->items[i]) ? NULL : "an item that is none";
    }
    return wrong;
}

/* --- the record --- */

static struct kw_result content_of(const struct kw_answer *answer, struct kw_buf *out,
                                   struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_raw(&w, kw_bytes_str(MAGIC));
    kw_put_raw(&w, kw_id_bytes(&answer->mesh));
    kw_put_raw(&w, kw_id_bytes(&answer->to.store));
    kw_put_u8(&w, (uint8_t)answer->to.purpose);
    kw_put_raw(&w, kw_id_bytes(&answer->to.nonce));
    kw_put_answer_place(&w, &answer->to.from);
    kw_put_answer_place(&w, &answer->next);
    kw_put_raw(&w, KW_BYTES_OF(answer->reach));
    kw_put_u16(&w, (uint16_t)answer->count);
    for (size_t i = 0; i < answer->count; i++) {
        kw_put_u32(&w, (uint32_t)answer->items[i].len);
        kw_put_raw(&w, answer->items[i]);
    }
    return kw_writer_end(&w, err);
}

struct kw_result kw_answer_sign(const struct kw_answer *answer, const struct kw_private_key *key,
                                struct kw_buf *out, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    const char *wrong;

    KW_ENSURE(answer->count <= KW_ANSWER_ITEMS_MAX, err, ARGUMENT_INVALID, "answer of %zu items",
              answer->count);
    wrong = fault(answer);
    KW_ENSURE(wrong == NULL, err, ARGUMENT_INVALID, "answer: %s", wrong);
    KW_TRY(content_of(answer, &content, err));
    KW_TRY(kw_lane_sign(LABEL, kw_buf_bytes(&content), key, &record, err));
    KW_ENSURE(record.len <= KW_ANSWER_LEN_MAX, err, ARGUMENT_INVALID, "answer of %zu bytes",
              record.len);
    return kw_buf_append(out, kw_buf_bytes(&record), err);
}

/* `count` is bounded before it is believed. */
static struct kw_result read_items(struct kw_reader *r, struct kw_arena *arena,
                                   struct kw_answer *answer, struct kw_error *err)
{
    size_t count = kw_get_u16(r);
    struct kw_bytes *items;

    KW_ENSURE(count <= KW_ANSWER_ITEMS_MAX, err, ENCODING_INVALID, "answer of %zu items", count);
    items = kw_arena_alloc(arena, count * sizeof(*items));
    KW_ENSURE(items != NULL, err, MEMORY, "answer of %zu items", count);
    for (size_t i = 0; i < count; i++) {
        items[i] = kw_get_raw(r, kw_get_u32(r));
    }
    answer->items = items;
    answer->count = count;
    return KW_OK;
}

static void read_question(struct kw_reader *r, struct kw_answer *answer)
{
    kw_get_copy(r, answer->mesh.bytes, KW_ID_LEN);
    kw_get_copy(r, answer->to.store.bytes, KW_ID_LEN);
    answer->to.purpose = (enum kw_ask_purpose)kw_get_u8(r);
    kw_get_copy(r, answer->to.nonce.bytes, KW_ID_LEN);
    kw_get_answer_place(r, &answer->to.from);
    kw_get_answer_place(r, &answer->next);
    kw_get_copy(r, answer->reach, sizeof(answer->reach));
}

struct kw_result kw_answer_decode(struct kw_bytes record, struct kw_arena *arena,
                                  struct kw_answer *ret_answer, struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);
    struct kw_answer answer = {0};
    const char *wrong;

    KW_ENSURE(record.len <= KW_ANSWER_LEN_MAX, err, ENCODING_INVALID, "answer of %zu bytes",
              record.len);
    KW_ENSURE(kw_get_magic(&r, MAGIC), err, ENCODING_INVALID, "not an answer");
    read_question(&r, &answer);
    KW_TRY(read_items(&r, arena, &answer, err));
    kw_get_signed(&r, &answer.key, &answer.signature);
    KW_TRY(kw_reader_end(&r, "answer", err));
    wrong = fault(&answer);
    KW_ENSURE(wrong == NULL, err, ENCODING_INVALID, "answer: %s", wrong);
    *ret_answer = answer;
    return KW_OK;
}

struct kw_result kw_answer_verify(const struct kw_answer *answer, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};

    KW_TRY(content_of(answer, &content, err));
    return kw_lane_verify(LABEL, kw_buf_bytes(&content), answer->key, answer->signature, err);
}

/* --- lanes --- */

struct kw_result kw_answer_lane_encode(uint64_t floor, struct kw_bytes head, struct kw_buf *out,
                                       struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_u64(&w, floor);
    kw_put_raw(&w, head);
    return kw_writer_end(&w, err);
}

struct kw_result kw_answer_lane_decode(struct kw_bytes item, struct kw_answer_lane *ret_lane,
                                       struct kw_error *err)
{
    struct kw_reader r = KW_READER(item);
    uint64_t floor = kw_get_number(&r);

    KW_ENSURE(!r.failed, err, ENCODING_INVALID, "no lane in an answer");
    KW_TRY(kw_lane_head_decode(r.rest, &ret_lane->head, err));
    KW_ENSURE(floor <= ret_lane->head.point.seq, err, ENCODING_INVALID,
              "a lane of which more was deleted than there is");
    ret_lane->floor = floor;
    return KW_OK;
}

/* --- what waits --- */

struct kw_result kw_waiting_encode(const struct kw_waiting *waiting, struct kw_buf *out,
                                   struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_raw(&w, kw_id_bytes(&waiting->lane));
    kw_put_point(&w, &waiting->point);
    kw_put_raw(&w, waiting->record);
    return kw_writer_end(&w, err);
}

struct kw_result kw_waiting_decode(struct kw_bytes item, struct kw_waiting *ret_waiting,
                                   struct kw_error *err)
{
    struct kw_reader r = KW_READER(item);

    *ret_waiting = (struct kw_waiting){0};
    kw_get_copy(&r, ret_waiting->lane.bytes, KW_ID_LEN);
    kw_get_point(&r, &ret_waiting->point);
    ret_waiting->record = r.rest;
    KW_ENSURE(!r.failed && r.rest.len > 0 && ret_waiting->point.seq > 0, err, ENCODING_INVALID,
              "nothing that waits");
    return KW_OK;
}
