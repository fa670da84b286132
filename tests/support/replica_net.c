/* The model network. */
#include "tests/support/replica_net.h"

#include "tests/support/dice.h"
#include "tests/support/must.h"

#include <stdlib.h>
#include <string.h>

enum {
    STEP_MS = 5
};

static struct kw_id cell_id(size_t cell)
{
    return (struct kw_id){{0xce, (uint8_t)(cell + 1)}};
}

static size_t cell_of(struct kw_id id)
{
    return id.bytes[1] - 1U;
}

uint64_t net_random(struct replica_net *net, uint64_t end)
{
    return dice_roll(&net->random) % end;
}

static size_t peer_of(const struct net_cell *cell, size_t other)
{
    for (size_t i = 0; i < cell->peer_count; i++) {
        if (cell->peer_cells[i] == other) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* --- what the replicator wishes --- */

static size_t batches_of(const struct net_wire *wire, uint64_t lane)
{
    size_t count = 0;

    for (size_t i = 0; i < wire->count; i++) {
        const struct net_frame *frame = wire->frames[(wire->first + i) % NET_FRAMES_MAX];

        count += frame->type == KW_FRAME_BATCH && frame->batch[0] == lane &&
                 frame->batch[2] > frame->batch[1];
    }
    return count;
}

static void on_send(void *context, uint32_t peer, const struct kw_frame *frame)
{
    struct net_cell *cell = context;
    struct replica_net *net = cell->net;
    struct net_wire *wire = &net->wires[cell->index][cell->peer_cells[peer]];
    struct net_frame *copy = calloc(1, sizeof(*copy));
    size_t flying;

    cr_assert(copy != NULL && wire->count < NET_FRAMES_MAX, "a wire holds at most %d frames",
              NET_FRAMES_MAX);
    copy->type = frame->type;
    memcpy(copy->stores, frame->stores, sizeof(copy->stores));
    for (; copy->reach_count < frame->reach_count; copy->reach_count++) {
        copy->reaches[copy->reach_count] = frame->reaches[copy->reach_count];
    }
    if (frame->record.len > 0) {
        memcpy(copy->batch, frame->record.data, frame->record.len);
    }
    copy->due_ms = net->now_ms + net->delay_ms + net_random(net, net->jitter_ms + 1);
    copy->due_ms = copy->due_ms > wire->last_ms ? copy->due_ms : wire->last_ms;
    wire->last_ms = copy->due_ms;
    wire->frames[(wire->first + wire->count++) % NET_FRAMES_MAX] = copy;
    flying = batches_of(wire, copy->batch[0]);
    net->in_flight_max = flying > net->in_flight_max ? flying : net->in_flight_max;
}

static void on_read(void *context, struct kw_ticket ticket, uint64_t after)
{
    struct net_cell *cell = context;
    size_t lane = cell_of(ticket.lane);
    struct kw_extent held = cell->held[lane];
    uint64_t to = held.seq - after > cell->net->batch ? after + cell->net->batch : held.seq;
    uint64_t batch[4] = {lane, after, to, to == held.seq ? held.closed : 0};

    kw_replicator_read(cell->replicator, ticket, KW_BYTES((uint8_t *)batch, sizeof(batch)),
                       (struct kw_extent){.seq = to, .closed = batch[3]}, cell->net->now_ms);
}

static void tell_lane(struct net_cell *cell, size_t lane)
{
    MUST(kw_replicator_lane(cell->replicator, KW_OWNER_AUTHZ, cell_id(lane),
                            &cell->net->places[lane], cell->held[lane], cell->net->now_ms, err));
}

static enum kw_lane_verdict judge(struct net_cell *cell, const uint64_t batch[4])
{
    struct kw_extent *held = &cell->held[batch[0]];

    cell->received[batch[0]] += batch[2] > batch[1];
    if (batch[1] > held->seq) {
        return KW_LANE_GAP;
    }
    if (batch[2] <= held->seq && batch[3] <= held->closed) {
        cell->useless += batch[2] > batch[1];
        return KW_LANE_KNOWN;
    }
    held->seq = batch[2] > held->seq ? batch[2] : held->seq;
    held->closed = batch[3] > held->closed ? batch[3] : held->closed;
    cell->applied++;
    return KW_LANE_NEWS;
}

static void on_apply(void *context, struct kw_ticket ticket, struct kw_bytes record)
{
    struct net_cell *cell = context;
    uint64_t batch[4];
    enum kw_lane_verdict verdict;
    struct kw_reach held;

    memcpy(batch, record.data, sizeof(batch));
    verdict = judge(cell, batch);
    held = (struct kw_reach){
        .owner = ticket.owner, .lane = cell_id(batch[0]), .extent = cell->held[batch[0]]};
    kw_replicator_applied(cell->replicator, ticket, verdict, &held);
    if (verdict == KW_LANE_NEWS) {
        tell_lane(cell, batch[0]);
    }
}

static void on_apply_urgent(void *context, struct kw_ticket ticket, struct kw_bytes record)
{
    struct net_cell *cell = context;
    uint64_t urgent[4];
    enum kw_lane_verdict verdict = KW_LANE_KNOWN;

    memcpy(urgent, record.data, sizeof(urgent));
    if (urgent[1] > cell->urgent[urgent[0]] && urgent[1] > cell->held[urgent[0]].seq) {
        cell->urgent[urgent[0]] = urgent[1];
        verdict = KW_LANE_NEWS;
    }
    kw_replicator_urgent_applied(cell->replicator, ticket, verdict, record);
}

static void on_acked(void *context, uint32_t peer, enum kw_owner owner, struct kw_id peer_store,
                     struct kw_id lane, uint64_t seq)
{
    const struct net_cell *cell = context;
    const struct net_cell *holder = &cell->net->cells[cell_of(peer_store)];

    cr_assert(owner == KW_OWNER_AUTHZ);
    cr_assert(holder->index == cell->peer_cells[peer], "acknowledged by somebody else");
    cr_assert(holder->held[cell_of(lane)].seq >= seq, "acknowledged before it was held");
}

static void drop_frames(struct net_wire *wire)
{
    while (wire->count > 0) {
        free(wire->frames[wire->first]);
        wire->first = (wire->first + 1) % NET_FRAMES_MAX;
        wire->count--;
    }
    wire->last_ms = 0;
}

static void unlink_cells(struct replica_net *net, size_t a, size_t b)
{
    net->linked[a][b] = net->linked[b][a] = false;
    drop_frames(&net->wires[a][b]);
    drop_frames(&net->wires[b][a]);
}

static void link_down(struct replica_net *net, size_t a, size_t b)
{
    if (net->linked[a][b]) {
        unlink_cells(net, a, b);
        kw_replicator_link_down(net->cells[a].replicator, (uint32_t)peer_of(&net->cells[a], b));
        kw_replicator_link_down(net->cells[b].replicator, (uint32_t)peer_of(&net->cells[b], a));
    }
}

static void on_cut(void *context, uint32_t peer, const char *why)
{
    struct net_cell *cell = context;
    size_t other = cell->peer_cells[peer];

    cell->cuts++;
    cell->why = why;
    unlink_cells(cell->net, cell->index, other);
    kw_replicator_link_down(cell->net->cells[other].replicator,
                            (uint32_t)peer_of(&cell->net->cells[other], cell->index));
}

/* --- the world --- */

static void start_cell(struct net_cell *cell)
{
    struct replica_net *net = cell->net;
    struct kw_replicator_options options = {
        .mesh = {{1}},
        .stores = {cell_id(cell->index)},
        .us = net->places[cell->index],
        .cells = {net->places, net->count},
        .io = {.context = cell,
               .send = on_send,
               .read = on_read,
               .apply = on_apply,
               .apply_urgent = on_apply_urgent,
               .acked = on_acked,
               .cut = on_cut},
    };

    MUST(kw_replicator_new(&options, &cell->replicator, err));
    for (size_t lane = 0; lane < net->count; lane++) {
        if (cell->held[lane].seq > 0 || lane == cell->index) {
            tell_lane(cell, lane);
        }
    }
    cell->down = false;
}

/* In the order of kw_place_peers. */
static void find_peers(struct replica_net *net, size_t index)
{
    struct net_cell *cell = &net->cells[index];

    for (size_t other = 0; other < net->count; other++) {
        if (kw_place_linked(&net->places[index], &net->places[other])) {
            cell->peer_cells[cell->peer_count++] = other;
        }
    }
}

void net_init(struct replica_net *net, size_t regions, size_t letters, uint64_t seed)
{
    *net = (struct replica_net){
        .random = seed, .delay_ms = 150, .jitter_ms = 50, .batch = 3, .now_ms = 1000000};
    for (size_t region = 0; region < regions; region++) {
        for (size_t letter = 0; letter < letters; letter++) {
            net->places[net->count++] =
                (struct kw_place){{(char)('A' + (int)region)}, {(char)('a' + (int)letter)}};
        }
    }
    for (size_t i = 0; i < net->count; i++) {
        net->cells[i] = (struct net_cell){.net = net, .index = i};
        find_peers(net, i);
        start_cell(&net->cells[i]);
    }
}

void net_done(struct replica_net *net)
{
    for (size_t i = 0; i < net->count; i++) {
        for (size_t j = 0; j < net->count; j++) {
            drop_frames(&net->wires[i][j]);
        }
        kw_replicator_free(net->cells[i].replicator);
    }
}

static void promise(struct replica_net *net, size_t cell)
{
    net->cells[cell].held[cell].closed = net->now_ms << 16;
    tell_lane(&net->cells[cell], cell);
}

void net_write(struct replica_net *net, size_t cell)
{
    net->cells[cell].held[cell].seq++;
    promise(net, cell);
}

void net_write_urgent(struct replica_net *net, size_t cell)
{
    uint64_t urgent[4] = {cell, net->cells[cell].held[cell].seq + 1};

    net->cells[cell].urgent[cell] = urgent[1];
    kw_replicator_urgent(net->cells[cell].replicator, KW_OWNER_AUTHZ,
                         KW_BYTES((uint8_t *)urgent, sizeof(urgent)));
    net_write(net, cell);
}

void net_block(struct replica_net *net, size_t a, size_t b, bool blocked)
{
    net->blocked[a][b] = net->blocked[b][a] = blocked;
    if (blocked) {
        link_down(net, a, b);
    }
}

void net_crash(struct replica_net *net, size_t cell)
{
    for (size_t other = 0; other < net->count; other++) {
        link_down(net, cell, other);
    }
    net->cells[cell].down = true;
}

void net_restart(struct replica_net *net, size_t cell)
{
    kw_replicator_free(net->cells[cell].replicator);
    start_cell(&net->cells[cell]);
}

static void link_up(struct replica_net *net, size_t a, size_t b)
{
    if (!net->linked[a][b] && !net->blocked[a][b] && !net->cells[a].down && !net->cells[b].down &&
        kw_place_linked(&net->places[a], &net->places[b])) {
        net->linked[a][b] = net->linked[b][a] = true;
        kw_replicator_link_up(net->cells[a].replicator, (uint32_t)peer_of(&net->cells[a], b),
                              net->now_ms);
        kw_replicator_link_up(net->cells[b].replicator, (uint32_t)peer_of(&net->cells[b], a),
                              net->now_ms);
    }
}

static void deliver(struct replica_net *net, size_t from, size_t to)
{
    struct net_wire *wire = &net->wires[from][to];

    while (!wire->stalled && wire->count > 0 && wire->frames[wire->first]->due_ms <= net->now_ms) {
        struct net_frame *copy = wire->frames[wire->first];
        struct kw_frame frame = {.type = copy->type,
                                 .mesh = {{1}},
                                 .reaches = copy->reaches,
                                 .reach_count = copy->reach_count};

        wire->first = (wire->first + 1) % NET_FRAMES_MAX;
        wire->count--;
        memcpy(frame.stores, copy->stores, sizeof(copy->stores));
        frame.record = KW_BYTES((uint8_t *)copy->batch, sizeof(copy->batch));
        kw_replicator_frame(net->cells[to].replicator, (uint32_t)peer_of(&net->cells[to], from),
                            &frame, net->now_ms);
        free(copy);
    }
}

static void each_pair(struct replica_net *net, void (*act)(struct replica_net *, size_t, size_t))
{
    for (size_t a = 0; a < net->count; a++) {
        for (size_t b = 0; b < net->count; b++) {
            act(net, a, b);
        }
    }
}

void net_run(struct replica_net *net, uint64_t ms)
{
    uint64_t end = net->now_ms + ms;

    for (; net->now_ms < end; net->now_ms += STEP_MS) {
        each_pair(net, link_up);
        each_pair(net, deliver);
        for (size_t i = 0; i < net->count && net->now_ms % KW_LINK_TICK_MS == 0; i++) {
            if (!net->cells[i].down) {
                promise(net, i);
                kw_replicator_tick(net->cells[i].replicator, net->now_ms);
            }
        }
    }
}

bool net_equal(const struct replica_net *net)
{
    for (size_t i = 0; i < net->count; i++) {
        for (size_t lane = 0; lane < net->count && !net->cells[i].down; lane++) {
            if (net->cells[i].held[lane].seq != net->cells[lane].held[lane].seq) {
                return false;
            }
        }
    }
    return true;
}
