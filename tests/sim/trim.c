/* What was deleted, held against what the cell was told. */
#include "tests/sim/trim.h"

#include "common/feed/feed_holdings.h"

enum {
    TRIM_MAX = 64, /* changes in one job */
    SAY_MS = 2000,
    LANES = SIM_STORES_MAX * SIM_LIVES_MAX,
};

/* A number for a lane that some member writes or wrote; LANES: it is nobody's. */
static size_t number_of(const struct sim *sim, struct kw_id lane)
{
    for (size_t i = 0; i < sim->desk->count; i++) {
        for (size_t life = 0; life < sim->desk->members[i].life_count; life++) {
            if (kw_id_equal(sim->desk->members[i].lives[life].lane, lane)) {
                return i * SIM_LIVES_MAX + life;
            }
        }
    }
    return LANES;
}

struct acking {
    struct kw_place place;
    struct kw_id store;
    struct kw_id lane;
    uint64_t seq;
};

static SIM_JOB(ack)
{
    const struct acking *acking = context;
    KW_SCOPED(kw_buf_done) struct kw_buf place = {0};
    uint64_t counted;

    KW_TRY(kw_store_record_place(kw_bytes_str(acking->place.region),
                                 kw_bytes_str(acking->place.cell), &place, err));
    return kw_feed_ack(tx, &(struct kw_feed_acker){acking->store, kw_buf_bytes(&place)},
                       acking->lane, acking->seq, &counted, err);
}

void sim_trim_acked(struct sim *sim, struct sim_cell *cell, struct kw_id store, struct kw_id lane,
                    uint64_t seq)
{
    struct acking acking = {.store = store, .lane = lane, .seq = seq};
    size_t member = sim_desk_find(sim, store), number = number_of(sim, lane);

    if (member < sim->desk->count) {
        acking.place = sim->cells[sim->desk->members[member].cell].place;
    }
    SIM_MUST(sim_store_write(cell->store, ack, &acking, err));
    if (member < sim->desk->count && number < LANES && seq > cell->acked[member][number]) {
        cell->acked[member][number] = seq;
    }
}

struct holding {
    struct sim_cell *cell;
    uint64_t clock;
    bool said;
    struct kw_feed_lane lanes[SIM_LANES_MAX];
    size_t count;
};

static SIM_JOB(say)
{
    struct holding *h = context;

    KW_TRY(kw_feed_lanes(&h->cell->feed, tx, KW_ID_NONE, h->lanes, SIM_LANES_MAX, &h->count, err));
    return kw_feed_say_holdings(&h->cell->feed, tx, h->clock, &h->said, err);
}

/* It says no more than it holds, and may be believed as much, by anybody. */
static void note_said(struct sim *sim, const struct holding *h)
{
    uint64_t *says = sim->desk->members[h->cell->member].says;

    for (size_t i = 0; i < h->count; i++) {
        size_t number = number_of(sim, h->lanes[i].id);

        if (number < LANES && h->lanes[i].point.seq > says[number]) {
            says[number] = h->lanes[i].point.seq;
        }
    }
}

void sim_trim_say(struct sim *sim, struct sim_cell *cell)
{
    struct holding h = {.cell = cell, .clock = sim_cell_clock(sim, cell->index)};

    if (sim->now_ms < cell->say_ms) {
        return;
    }
    cell->say_ms = sim->now_ms + SAY_MS;
    SIM_MUST(sim_store_write(cell->store, say, &h, err));
    if (h.said) {
        sim->counts.said++;
        note_said(sim, &h);
    }
}

void sim_trim_floor(const struct sim *sim, struct sim_cell *cell, const struct kw_feed_lane *lane)
{
    cell->floors[number_of(sim, lane->id)] = lane->floor.seq;
}

struct trimming {
    struct sim *sim;
    struct sim_cell *cell;
    size_t trimmed;
    struct kw_feed_lane lanes[SIM_LANES_MAX];
    size_t count;
};

static SIM_JOB(trim)
{
    struct trimming *t = context;

    KW_TRY(kw_feed_trim(&t->cell->feed, tx, TRIM_MAX, &t->trimmed, err));
    return t->trimmed == 0 ? KW_OK
                           : kw_feed_lanes(&t->cell->feed, tx, KW_ID_NONE, t->lanes, SIM_LANES_MAX,
                                           &t->count, err);
}

/* How far everybody has this lane who was to have it, by what they said. */
static uint64_t all_have(const struct trimming *t, size_t number)
{
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < t->sim->desk->count; i++) {
        bool waits = t->cell->told[i].version > 0 && !t->cell->told[i].fenced &&
                     i != t->cell->member && i != number / SIM_LIVES_MAX;

        uint64_t has = t->cell->acked[i][number] > t->sim->desk->members[i].says[number]
                           ? t->cell->acked[i][number]
                           : t->sim->desk->members[i].says[number];

        if (waits && has < least) {
            least = has;
        }
    }
    return least;
}

static void look_at(const struct trimming *t, const struct kw_feed_lane *lane)
{
    size_t number = number_of(t->sim, lane->id);
    uint64_t keep = t->sim->rates.keep;
    uint64_t *floor = &t->cell->floors[number];

    if (lane->floor.seq > *floor && lane->floor.seq > all_have(t, number) &&
        (keep == 0 || lane->floor.seq + keep > lane->point.seq)) {
        sim_violation(t->sim, "cell %zu deleted changes up to %llu that not all have",
                      t->cell->index, (unsigned long long)lane->floor.seq);
    }
    *floor = lane->floor.seq > *floor ? lane->floor.seq : *floor;
}

void sim_trim(struct sim *sim, struct sim_cell *cell)
{
    struct trimming t = {.sim = sim, .cell = cell};

    SIM_MUST(sim_store_write(cell->store, trim, &t, err));
    sim->counts.trimmed += t.trimmed;
    for (size_t i = 0; i < t.count; i++) {
        look_at(&t, &t.lanes[i]);
    }
}
