/* The record KWY1, and the file around it. */
#include "common/feed/orphans.h"

#include "common/feed/lane_codec.h"

#define MAGIC "KWY1"
#define LABEL "KEYWARD-ORPHANS-v1"

#define BATCH_MEMORY_MAX (2U * KW_BATCH_LEN_MAX)

/* --- the record --- */

static void put_lane(struct kw_writer *w, const struct kw_orphan_lane *lane)
{
    kw_put_raw(w, kw_id_bytes(&lane->incarnation));
    kw_put_u32(w, lane->writer);
    kw_put_point(w, &lane->from);
    kw_put_point(w, &lane->to);
}

static void get_lane(struct kw_reader *r, struct kw_orphan_lane *ret_lane)
{
    *ret_lane = (struct kw_orphan_lane){.writer = 0};
    kw_get_copy(r, ret_lane->incarnation.bytes, KW_ID_LEN);
    ret_lane->writer = kw_get_u32(r);
    kw_get_point(r, &ret_lane->from);
    kw_get_point(r, &ret_lane->to);
}

static bool is_same(const struct kw_orphan_lane *a, const struct kw_orphan_lane *b)
{
    return kw_id_equal(a->incarnation, b->incarnation) && a->writer == b->writer;
}

/* Each lane once, with something of it. */
static bool are_lanes(const struct kw_orphans *orphans)
{
    for (size_t i = 0; i < orphans->lane_count; i++) {
        const struct kw_orphan_lane *lane = &orphans->lanes[i];

        if (lane->to.seq <= lane->from.seq) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (is_same(&orphans->lanes[j], lane)) {
                return false;
            }
        }
    }
    return true;
}

static void put_all(struct kw_writer *w, const struct kw_orphans *orphans)
{
    kw_put_raw(w, kw_bytes_str(MAGIC));
    kw_put_raw(w, kw_id_bytes(&orphans->mesh));
    kw_put_raw(w, kw_id_bytes(&orphans->store));
    kw_put_u64(w, orphans->made_ms);
    kw_put_u16(w, (uint16_t)orphans->lane_count);
    for (size_t i = 0; i < orphans->lane_count; i++) {
        put_lane(w, &orphans->lanes[i]);
    }
}

struct kw_result kw_orphans_sign(const struct kw_orphans *orphans, const struct kw_private_key *key,
                                 struct kw_buf *out, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    struct kw_writer w = KW_WRITER(&content);

    KW_ENSURE(orphans->lane_count <= KW_ORPHAN_LANES_MAX && are_lanes(orphans) &&
                  kw_number_fits(orphans->made_ms),
              err, ARGUMENT_INVALID, "an orphan bundle of lanes that are none");
    put_all(&w, orphans);
    KW_TRY(kw_writer_end(&w, err));
    return kw_lane_sign(LABEL, kw_buf_bytes(&content), key, out, err);
}

static void get_all(struct kw_reader *r, struct kw_orphans *orphans)
{
    kw_get_copy(r, orphans->mesh.bytes, KW_ID_LEN);
    kw_get_copy(r, orphans->store.bytes, KW_ID_LEN);
    orphans->made_ms = kw_get_number(r);
    orphans->lane_count = kw_get_u16(r);
    if (orphans->lane_count > KW_ORPHAN_LANES_MAX) {
        r->failed = true;
        return;
    }
    for (size_t i = 0; i < orphans->lane_count; i++) {
        get_lane(r, &orphans->lanes[i]);
    }
    kw_get_signed(r, &orphans->key, &orphans->signature);
}

struct kw_result kw_orphans_decode(struct kw_bytes record, struct kw_orphans *ret_orphans,
                                   struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);

    *ret_orphans = (struct kw_orphans){.record = record};
    KW_ENSURE(kw_get_magic(&r, MAGIC), err, ENCODING_INVALID, "not an orphan bundle");
    get_all(&r, ret_orphans);
    KW_TRY(kw_reader_end(&r, "orphan bundle", err));
    KW_ENSURE(are_lanes(ret_orphans), err, ENCODING_INVALID, "orphan bundle: its lanes");
    return KW_OK;
}

struct kw_result kw_orphans_verify(const struct kw_orphans *orphans, struct kw_error *err)
{
    size_t signed_len = orphans->record.len - orphans->key.len - orphans->signature.len - 4;

    return kw_lane_verify(LABEL, KW_BYTES(orphans->record.data, signed_len), orphans->key,
                          orphans->signature, err);
}

const struct kw_orphan_lane *kw_orphans_lane(const struct kw_orphans *orphans,
                                             const struct kw_lane_batch *batch)
{
    const struct kw_lane *name = &batch->head.lane;

    for (size_t i = 0; i < orphans->lane_count; i++) {
        const struct kw_orphan_lane *lane = &orphans->lanes[i];

        if (kw_id_equal(lane->incarnation, name->incarnation) && lane->writer == name->writer &&
            kw_id_equal(orphans->store, name->store) && kw_id_equal(orphans->mesh, name->mesh) &&
            batch->from.seq >= lane->from.seq && batch->head.point.seq <= lane->to.seq) {
            return lane;
        }
    }
    return NULL;
}

/* --- the file --- */

void kw_put_orphan_part(struct kw_writer *w, struct kw_bytes part)
{
    kw_put_u32(w, (uint32_t)part.len);
    kw_put_raw(w, part);
}

struct walking {
    struct kw_reader rest;
    const struct kw_orphans *orphans;
    kw_orphans_visit *visit; /* NULL: it is only looked at */
    void *context;
};

/* Its key, its signature, and its own changes. */
static struct kw_result check_batch(const struct walking *w, const struct kw_lane_batch *batch,
                                    struct kw_error *err)
{
    struct kw_lane_point point = batch->from;

    KW_ENSURE(kw_bytes_equal(batch->head.key, w->orphans->key), err, SIGNATURE_INVALID,
              "orphan bundle: a batch by another key");
    KW_TRY(kw_lane_head_verify(&batch->head, err));
    for (size_t i = 0; i < batch->count; i++) {
        KW_TRY(kw_lane_advance(&point, &batch->changes[i], err));
    }
    KW_ENSURE(kw_lane_point_equal(&point, &batch->head.point), err, ENCODING_INVALID,
              "orphan bundle: changes that do not lead to their head");
    return KW_OK;
}

static struct kw_result take_batch(const struct walking *w, const struct kw_orphan_lane *lane,
                                   struct kw_bytes record, struct kw_arena *arena,
                                   struct kw_lane_point *at, struct kw_error *err)
{
    struct kw_lane_batch batch;

    KW_TRY(kw_lane_batch_decode(record, arena, &batch, err));
    KW_ENSURE(kw_orphans_lane(w->orphans, &batch) == lane && kw_lane_point_equal(&batch.from, at) &&
                  batch.count > 0,
              err, ENCODING_INVALID, "orphan bundle: a gap after number %llu",
              (unsigned long long)at->seq);
    *at = batch.head.point;
    return w->visit != NULL ? w->visit(w->context, w->orphans, record, &batch, err)
                            : check_batch(w, &batch, err);
}

static struct kw_result next_batch(struct walking *w, const struct kw_orphan_lane *lane,
                                   struct kw_lane_point *at, struct kw_error *err)
{
    struct kw_bytes record = kw_get_raw(&w->rest, kw_get_u32(&w->rest));
    struct kw_arena *arena;
    struct kw_result taken;

    KW_ENSURE(!w->rest.failed, err, ENCODING_INVALID, "orphan bundle: it is cut short");
    arena = kw_arena_new(BATCH_MEMORY_MAX);
    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a batch");
    taken = take_batch(w, lane, record, arena, at, err);
    kw_arena_free(arena);
    return taken;
}

static struct kw_result walk_lanes(struct walking *w, struct kw_error *err)
{
    for (size_t i = 0; i < w->orphans->lane_count; i++) {
        const struct kw_orphan_lane *lane = &w->orphans->lanes[i];
        struct kw_lane_point at = lane->from;

        while (at.seq < lane->to.seq) {
            KW_TRY(next_batch(w, lane, &at, err));
        }
        KW_ENSURE(kw_lane_point_equal(&at, &lane->to), err, ENCODING_INVALID,
                  "orphan bundle: a lane that does not lead to its end");
    }
    return kw_reader_end(&w->rest, "orphan bundle", err);
}

struct kw_result kw_orphans_walk(struct kw_bytes file, kw_orphans_visit *visit, void *context,
                                 struct kw_error *err)
{
    struct kw_reader rest = KW_READER(file);
    struct kw_bytes record = kw_get_raw(&rest, kw_get_u32(&rest));
    struct kw_orphans orphans;
    struct walking looking = {.orphans = &orphans};
    struct walking walking = {.orphans = &orphans, .visit = visit, .context = context};

    KW_ENSURE(!rest.failed, err, ENCODING_INVALID, "orphan bundle: it is cut short");
    KW_TRY(kw_orphans_decode(record, &orphans, err));
    KW_TRY(kw_orphans_verify(&orphans, err));
    looking.rest = rest;
    walking.rest = rest;
    KW_TRY(walk_lanes(&looking, err));
    return visit != NULL ? walk_lanes(&walking, err) : KW_OK;
}
