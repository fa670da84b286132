/* Links: delay, stalls, darkness, replay, corruption. */
#include "tests/sim/net.h"

#include "tests/sim/cell.h"
#include "tests/sim/hostile.h"

#include <stdlib.h>
#include <string.h>

enum {
    NEAR_MS = 1,
    FAR_MS = 100, /* one way; and as much jitter */
    RTO_MS = 200,
    CONNECT_MS = 100,
    REPLAY_MS = 3000,
};

/* One direction. */
struct wire {
    bool up;          /* the sender's side believes in it */
    uint64_t life;    /* of the link, as this side knows it */
    uint64_t last_ms; /* when the frame before comes out: order is kept */
    uint64_t dark_ms; /* until then nothing gets through */
};

struct sim_net {
    struct wire wires[SIM_CELLS_MAX][SIM_CELLS_MAX]; /* from, to */
    uint64_t lives;
};

/* A frame that owns what it holds. */
struct parcel {
    struct kw_frame frame;
    struct kw_reach *reaches;
    struct kw_buf record;
    unsigned attack;
};

static struct wire *wire_of(struct sim *sim, size_t from, size_t to)
{
    return &sim->net->wires[from][to];
}

static bool linked(const struct sim *sim, size_t a, size_t b)
{
    return a != b && kw_place_linked(&sim->cells[a].place, &sim->cells[b].place);
}

/* --- frames on their way --- */

static void parcel_free(void *what)
{
    struct parcel *parcel = what;

    free(parcel->reaches);
    kw_buf_done(&parcel->record);
    free(parcel);
}

static struct parcel *parcel_of(const struct kw_frame *frame)
{
    struct parcel *parcel = calloc(1, sizeof(*parcel));
    size_t size = frame->reach_count * sizeof(struct kw_reach);

    if (parcel == NULL) {
        sim_fatal("memory", "a frame");
    }
    parcel->frame = *frame;
    if (size > 0) {
        parcel->reaches = malloc(size);
        if (parcel->reaches == NULL) {
            sim_fatal("memory", "a frame");
        }
        memcpy(parcel->reaches, frame->reaches, size);
    }
    SIM_MUST(kw_buf_append(&parcel->record, frame->record, err));
    return parcel;
}

static struct kw_frame content(const struct parcel *parcel)
{
    struct kw_frame frame = parcel->frame;

    frame.reaches = parcel->reaches;
    frame.record = kw_buf_bytes(&parcel->record);
    return frame;
}

static void send_parcel(struct sim *sim, size_t from, size_t to, struct parcel *parcel,
                        uint64_t after_ms, void (*run)(struct sim *, struct sim_event *))
{
    struct sim_event *event = sim_after(sim, after_ms, run);

    event->cell = from;
    event->other = to;
    event->life = wire_of(sim, from, to)->life;
    event->what = parcel;
    event->drop = parcel_free;
}

/* The frame gets to the replicator, with what was done to it. */
static void hand_over(struct sim *sim, struct sim_event *event)
{
    const struct parcel *parcel = event->what;
    struct kw_frame frame = content(parcel);

    sim->hostile->now = parcel->attack;
    sim_cell_frame(sim, event->other, event->cell, &frame);
    if (sim->hostile->now != SIM_NO_ATTACK && sim_cell_runs(sim, event->other)) {
        sim_hostile_judged(sim, sim->hostile->now, "let in", true);
    }
    sim->hostile->now = SIM_NO_ATTACK;
}

/* Somebody kept it and sends it again, whatever link there is by now. An acknowledgement is believed for as long as that
 * link lasts, also one that lies, or was true of another disk: so none comes when faults have ended. */
static void replay(struct sim *sim, struct sim_event *event)
{
    struct parcel *parcel = event->what;
    enum kw_frame_type type = parcel->frame.type;
    bool is_over = type == KW_FRAME_ACK && !sim->faults;

    if (wire_of(sim, event->other, event->cell)->up && !is_over) {
        sim->counts.replays++;
        if (parcel->attack == SIM_NO_ATTACK &&
            (type == KW_FRAME_BATCH || type == KW_FRAME_URGENT)) {
            parcel->attack = type == KW_FRAME_BATCH ? SIM_REPLAYED : SIM_REPLAYED_URGENT;
            sim_hostile_tried(sim, parcel->attack);
        }
        hand_over(sim, event);
    }
}

static void corrupt(struct sim *sim, struct parcel *parcel)
{
    uint64_t bit = sim_random(sim, parcel->record.len * 8);

    parcel->record.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    sim->counts.corruptions++;
}

/* A paused cell's kernel goes on taking what comes: it is read when the cell goes on. */
static bool wait_for_it(struct sim *sim, struct sim_event *event)
{
    const struct sim_cell *to = &sim->cells[event->other];

    if (sim->now_ms >= to->paused_ms) {
        return false;
    }
    sim_postpone(sim, event, to->paused_ms);
    return true;
}

static void spoil(struct sim *sim, size_t to, struct parcel *parcel)
{
    parcel->attack = sim_hostile_frame(sim, to, &parcel->frame, parcel->reaches, &parcel->record);
    if (parcel->attack == SIM_NO_ATTACK && parcel->record.len > 0 &&
        sim_chance(sim, sim->rates.corrupt)) {
        corrupt(sim, parcel);
    }
}

/* Whatever is urgent goes over each link once each way, and then it is known. Not
 * only in the end: what goes round for ever would never come to it. */
static void look_at_cost(struct sim *sim)
{
    uint64_t ways = 0;

    for (size_t i = 0; i < sim->cell_count; i++) {
        ways += sim->cells[i].peer_count;
    }
    if (sim->counts.urgent_frames > sim->counts.urgents * ways + sim->counts.replays) {
        sim_violation(sim, "%llu urgent changes cost %llu frames",
                      (unsigned long long)sim->counts.urgents,
                      (unsigned long long)sim->counts.urgent_frames);
    }
}

static void arrive(struct sim *sim, struct sim_event *event)
{
    const struct parcel *parcel = event->what;
    struct wire *back = wire_of(sim, event->other, event->cell);
    struct parcel *again;

    if (back->up && back->life == event->life && !wait_for_it(sim, event)) {
        sim->counts.frames++;
        sim->counts.urgent_frames += parcel->frame.type == KW_FRAME_URGENT;
        look_at_cost(sim);
        hand_over(sim, event);
        if (sim->faults && parcel->frame.type != KW_FRAME_HELLO &&
            sim_chance(sim, sim->rates.replay)) {
            struct kw_frame frame = content(parcel);

            again = parcel_of(&frame);
            again->attack = parcel->attack;
            send_parcel(sim, event->cell, event->other, again, sim_random(sim, REPLAY_MS), replay);
        }
    }
}

static uint64_t way_ms(struct sim *sim, size_t from, size_t to)
{
    bool near = strcmp(sim->cells[from].place.region, sim->cells[to].place.region) == 0;
    uint64_t way = near ? NEAR_MS : FAR_MS + sim_random(sim, FAR_MS + 1);

    if (sim->faults && sim_chance(sim, sim->rates.stall)) {
        sim->counts.stalls++;
        way += RTO_MS + sim_random(sim, RTO_MS);
    }
    return way;
}

void sim_net_send(struct sim *sim, size_t from, size_t to, const struct kw_frame *frame)
{
    struct wire *wire = wire_of(sim, from, to);
    struct parcel *parcel = parcel_of(frame);
    uint64_t due = sim->now_ms + way_ms(sim, from, to);

    due = due > wire->last_ms ? due : wire->last_ms;
    due = due > wire->dark_ms ? due : wire->dark_ms + sim_random(sim, RTO_MS);
    wire->last_ms = due;
    if (sim->faults) {
        spoil(sim, to, parcel);
    }
    send_parcel(sim, from, to, parcel, due - sim->now_ms, arrive);
}

bool sim_net_inject(struct sim *sim, enum kw_frame_type type, const struct kw_buf *record,
                    unsigned attack)
{
    const struct kw_frame frame = {
        .type = type, .owner = KW_OWNER_AUTHZ, .record = kw_buf_bytes(record)};
    size_t from = sim_random(sim, sim->cell_count), to = sim_random(sim, sim->cell_count);
    struct wire *back = wire_of(sim, to, from);
    struct parcel *parcel;

    if (!linked(sim, from, to) || !back->up || !sim_cell_runs(sim, to)) {
        return false;
    }
    parcel = parcel_of(&frame);
    parcel->attack = attack;
    send_parcel(sim, from, to, parcel, way_ms(sim, from, to), replay);
    return true;
}

bool sim_net_way(struct sim *sim, size_t from, size_t to, uint64_t *ret_ms)
{
    *ret_ms = way_ms(sim, from, to);
    return sim->now_ms >= wire_of(sim, from, to)->dark_ms;
}

/* --- links --- */

static void side_down(struct sim *sim, size_t from, size_t to)
{
    struct wire *wire = wire_of(sim, from, to);

    if (wire->up) {
        *wire = (struct wire){.dark_ms = wire->dark_ms};
        sim_cell_link_down(sim, from, to);
    }
}

void sim_net_cut(struct sim *sim, size_t from, size_t to)
{
    struct wire *wire = wire_of(sim, from, to);

    *wire = (struct wire){.dark_ms = wire->dark_ms};
    if (sim->now_ms >= wire->dark_ms) {
        side_down(sim, to, from);
    }
}

void sim_net_forget(struct sim *sim, size_t cell)
{
    for (size_t other = 0; other < sim->cell_count; other++) {
        struct wire *wire = wire_of(sim, cell, other);

        if (linked(sim, cell, other)) {
            side_down(sim, cell, other);
            *wire = (struct wire){.dark_ms = wire->dark_ms};
            side_down(sim, other, cell);
        }
    }
}

static void connect_pair(struct sim *sim, size_t a, size_t b)
{
    struct wire *there = wire_of(sim, a, b);
    struct wire *back = wire_of(sim, b, a);
    bool dark = sim->now_ms < there->dark_ms || sim->now_ms < back->dark_ms;

    if ((there->up && back->up && there->life == back->life) || dark || !sim_cell_runs(sim, a) ||
        !sim_cell_runs(sim, b)) {
        return;
    }
    side_down(sim, a, b);
    side_down(sim, b, a);
    there->life = back->life = ++sim->net->lives;
    there->up = back->up = true;
    sim_cell_link_up(sim, a, b);
    sim_cell_link_up(sim, b, a);
}

static void reconnect(struct sim *sim, struct sim_event *event)
{
    if (event->cell < event->other) {
        connect_pair(sim, event->cell, event->other);
    }
    struct sim_event *next = sim_after(sim, CONNECT_MS + sim_random(sim, CONNECT_MS), reconnect);

    next->cell = event->cell;
    next->other = event->other;
}

void sim_net_darken(struct sim *sim, size_t from, size_t to, uint64_t until_ms)
{
    struct wire *wire = wire_of(sim, from, to);

    wire->dark_ms = until_ms > wire->dark_ms ? until_ms : wire->dark_ms;
}

void sim_net_heal(struct sim *sim)
{
    for (size_t a = 0; a < sim->cell_count; a++) {
        for (size_t b = 0; b < sim->cell_count; b++) {
            wire_of(sim, a, b)->dark_ms = 0;
        }
        sim_net_forget(sim, a);
    }
}

static void link_pair(struct sim *sim, size_t a, size_t b)
{
    if (linked(sim, a, b)) {
        struct sim_event *event = sim_after(sim, sim_random(sim, CONNECT_MS), reconnect);

        event->cell = a < b ? a : b;
        event->other = a < b ? b : a;
    }
}

void sim_net_add(struct sim *sim, size_t cell)
{
    for (size_t other = 0; other < sim->cell_count; other++) {
        link_pair(sim, other, cell);
    }
}

void sim_net_init(struct sim *sim)
{
    sim->net = calloc(1, sizeof(*sim->net));
    if (sim->net == NULL) {
        sim_fatal("memory", "a network");
    }
    for (size_t a = 0; a < sim->cell_count; a++) {
        for (size_t b = a + 1; b < sim->cell_count; b++) {
            link_pair(sim, a, b);
        }
    }
}

void sim_net_done(struct sim *sim)
{
    free(sim->net);
}
