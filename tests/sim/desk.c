/* Orders, and how they reach cells. A cell writes what it is told into its own rows: no lane says it. */
#include "tests/sim/desk.h"

#include "common/base/codec.h"
#include "common/feed/feed_answer.h"
#include "common/sync/grow_set.h"
#include "common/sync/store_record.h"
#include "common/sync/version_vector.h"
#include "tests/sim/cell.h"
#include "tests/sim/faults.h"

#include <string.h>

const struct kw_id sim_mesh = {{0x5e, 0x51}};

enum {
    ARENA_BYTES = 1 << 20
};

/* --- keys --- */

static struct kw_private_key keys[SIM_STORES_MAX + 1];
static uint8_t digests[SIM_STORES_MAX][KW_SHA256_LEN]; /* of their public halves */

static void make_digest(size_t i)
{
    struct kw_public_key public = {0};
    struct kw_spki spki;

    SIM_MUST(kw_private_key_public(&keys[i], &public, err));
    SIM_MUST(kw_public_key_spki(&public, &spki, err));
    SIM_MUST(kw_sha256(kw_spki_bytes(&spki), digests[i], err));
    kw_public_key_done(&public);
}

void sim_desk_make_keys(void)
{
    for (size_t i = 0; i <= SIM_STORES_MAX; i++) {
        SIM_MUST(kw_private_key_generate(&keys[i], KW_CURVE_P256, err));
        if (i < SIM_STORES_MAX) {
            make_digest(i);
        }
    }
}

const struct kw_private_key *sim_forger_key(void)
{
    return &keys[SIM_STORES_MAX];
}

/* --- who is a member --- */

size_t sim_desk_find(const struct sim *sim, struct kw_id store)
{
    size_t i = 0;

    while (i < sim->desk->count && !kw_id_equal(sim->desk->members[i].id, store)) {
        i++;
    }
    return i;
}

size_t sim_desk_member(struct sim *sim, struct kw_id store, size_t cell)
{
    struct sim_desk *desk = sim->desk;
    size_t i = sim_desk_find(sim, store);

    if (i == desk->count) {
        if (i == SIM_STORES_MAX) {
            sim_fatal("stores", "too many");
        }
        desk->members[i] = (struct sim_member){.id = store, .cell = cell, .key = &keys[i]};
        desk->count++;
    }
    return i;
}

/* --- telling --- */

struct telling {
    struct sim *sim;
    struct sim_cell *cell;
    struct sim_member *member;
    struct kw_arena *arena;
    struct kw_record row;
    bool raised;
};

/* Who is told that it is out itself ends, with all it has. */
static void hear(struct sim *sim, struct sim_event *event)
{
    const struct sim_cell *cell = &sim->cells[event->cell];

    if (cell->up && sim->desk->members[cell->member].fenced) {
        sim_faults_retire(sim, event->cell);
    } else if (cell->up) {
        sim_desk_tell(sim, event->cell);
    }
}

/* Who is paused has the order, and does not go on before it is read. */
static void tell_all(struct sim *sim)
{
    for (size_t i = 0; i < sim->cell_count; i++) {
        sim_after(sim, sim_random(sim, SIM_ORDER_MS), hear)->cell = i;
    }
}

/* One more thing that is said of the store. */
static void put(struct telling *t, uint8_t field, struct kw_buf *value)
{
    struct kw_record one = {.table = kw_store_record.table, .key = t->row.key};
    struct kw_record both;
    struct kw_bytes kept;

    SIM_MUST(kw_arena_copy(t->arena, kw_buf_bytes(value), &kept, err));
    kw_buf_done(value);
    SIM_MUST(kw_record_set(&one, &kw_store_record, field, kept, err));
    SIM_MUST(kw_record_merge(&t->row, &one, t->arena, NULL, &both, err));
    t->row = both;
}

static void put_number(struct telling *t, uint8_t field, uint64_t number)
{
    struct kw_buf value = {0};
    struct kw_writer w = KW_WRITER(&value);

    kw_put_u64(&w, number);
    put(t, field, &value);
}

static void put_element(struct telling *t, uint8_t field, struct kw_bytes element)
{
    struct kw_buf value = {0};
    struct kw_writer w = KW_WRITER(&value);

    kw_put_set_element(&w, element);
    put(t, field, &value);
}

static void put_life(struct telling *t, const struct sim_life *life)
{
    struct kw_buf value = {0};
    struct kw_writer w = KW_WRITER(&value);

    put_element(t, KW_STORE_FIELD_INCARNATIONS, kw_id_bytes(&life->incarnation));
    if (life->fence > 0) {
        kw_put_vector_entry(&w, life->lane, life->fence);
        put(t, KW_STORE_FIELD_FENCE, &value);
    }
}

static void put_place(struct telling *t)
{
    const struct kw_place *place = &t->sim->cells[t->member->cell].place;
    struct kw_buf value = {0};

    SIM_MUST(kw_buf_append(&value, kw_bytes_str(place->region), err));
    SIM_MUST(kw_buf_append(&value, kw_bytes_str("/"), err));
    SIM_MUST(kw_buf_append(&value, kw_bytes_str(place->cell), err));
    put(t, KW_STORE_FIELD_PLACE, &value);
}

static void make_row(struct telling *t)
{
    const struct sim_member *member = t->member;

    t->row = (struct kw_record){.table = kw_store_record.table, .key = kw_id_bytes(&member->id)};
    put_place(t);
    put_number(t, KW_STORE_FIELD_STATE, member->fenced ? KW_STORE_FENCED : KW_STORE_ACTIVE);
    put_element(t, KW_STORE_FIELD_SIGNERS, KW_BYTES_OF(digests[member->key - keys]));
    for (size_t i = 0; i < member->life_count; i++) {
        put_life(t, &member->lives[i]);
    }
}

/* What this cell holds of a fenced store's lanes is honoured. */
static struct kw_result raise_fence(struct telling *t, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_feed_lane lanes[SIM_LANES_MAX];
    size_t count;

    KW_TRY(kw_feed_lanes(&t->cell->feed, tx, KW_ID_NONE, lanes, SIM_LANES_MAX, &count, err));
    for (size_t i = 0; i < count; i++) {
        for (size_t life = 0; life < t->member->life_count; life++) {
            struct sim_life *of = &t->member->lives[life];

            if (kw_id_equal(of->lane, lanes[i].id) && lanes[i].point.seq > of->fence) {
                of->fence = lanes[i].point.seq;
                t->raised = true;
            }
        }
    }
    return KW_OK;
}

static SIM_JOB(tell_one)
{
    struct telling *t = context;
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    enum kw_row_news news;

    if (t->member->fenced) {
        KW_TRY(raise_fence(t, tx, err));
    }
    make_row(t);
    KW_TRY(kw_record_encode(&t->row, &record, err));
    return kw_feed_take_row(&t->cell->feed, tx, t->cell->store_id, kw_buf_bytes(&record),
                            sim_cell_clock(t->sim, t->cell->index), &news, err);
}

static void note_told(struct telling *t, struct sim_told *told)
{
    told->version = t->member->version;
    told->life_count = t->member->life_count;
    told->fenced = t->member->fenced;
    for (size_t i = 0; i < t->member->life_count; i++) {
        told->fence[i] = t->member->lives[i].fence;
    }
}

void sim_desk_tell(struct sim *sim, size_t index)
{
    bool raised = false;

    for (size_t i = 0; i < sim->desk->count; i++) {
        struct telling t = {.sim = sim,
                            .cell = &sim->cells[index],
                            .member = &sim->desk->members[i],
                            .arena = NULL};

        if (t.cell->told[i].version == t.member->version) {
            continue;
        }
        t.arena = kw_arena_new(ARENA_BYTES);
        SIM_MUST(sim_store_write(t.cell->store, tell_one, &t, err));
        kw_arena_free(t.arena);
        if (t.raised) {
            t.member->version++;
            t.member->raised_ms = sim->now_ms;
            raised = true;
        }
        note_told(&t, &t.cell->told[i]);
    }
    if (raised) {
        tell_all(sim);
    }
}

/* --- orders --- */

void sim_desk_life(struct sim *sim, size_t index, const struct kw_lane *lane)
{
    struct sim_member *member = &sim->desk->members[index];
    struct sim_life *life = member->lives;

    while (life < member->lives + member->life_count &&
           !kw_id_equal(life->incarnation, lane->incarnation)) {
        life++;
    }
    if (life < member->lives + member->life_count) {
        return;
    }
    if (member->life_count == SIM_LIVES_MAX) {
        sim_fatal("lives", "too many of one store");
    }
    *life = (struct sim_life){.incarnation = lane->incarnation};
    SIM_MUST(kw_lane_id(lane, &life->lane, err));
    member->life_count++;
    member->version++;
    tell_all(sim);
}

void sim_desk_leaks(struct sim *sim, size_t member)
{
    for (size_t i = 0; i < sim->cell_count; i++) {
        sim->counts.leaks += sim->cells[i].joining && (sim->cells[i].donors >> member & 1) != 0;
    }
}

bool sim_desk_lacks_fence(const struct sim *sim, size_t cell)
{
    for (size_t i = 0; i < sim->desk->count; i++) {
        if (sim->desk->members[i].fenced && !sim->cells[cell].told[i].fenced) {
            return true;
        }
    }
    return false;
}

/* Who joins by one that is told later, or never, gets what no fence honours. */
static void leak_to_joining(struct sim *sim)
{
    for (size_t i = 0; i < sim->cell_count; i++) {
        sim->counts.leaks += sim->cells[i].joining;
    }
}

void sim_desk_fence(struct sim *sim, size_t index)
{
    struct sim_member *member = &sim->desk->members[index];

    if (!member->fenced) {
        sim->counts.fenced++;
        sim_note(sim, "the store of %zu is fenced", member->cell);
        member->fenced = true;
        member->fenced_ms = member->raised_ms = sim->now_ms;
        member->version++;
        leak_to_joining(sim);
        tell_all(sim);
    }
}

uint64_t sim_desk_honours(const struct sim *sim, size_t index, struct kw_id lane)
{
    const struct sim_member *member = &sim->desk->members[index];
    uint64_t honoured = 0;

    if (!member->fenced) {
        return UINT64_MAX;
    }
    for (size_t i = 0; i < member->life_count; i++) {
        if (kw_id_equal(member->lives[i].lane, lane)) {
            honoured = member->lives[i].fence;
        }
    }
    return honoured;
}
