/* Calling, listening, and the one link with each. */
#include "services/replicator/peers.h"

#include "common/base/container.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/pki/spiffe.h"
#include "common/rpc/methods.h"
#include "services/replicator/wire.h"

#include <stdio.h>
#include <stdlib.h>

/* One of them. */
struct slot {
    struct kw_peers *peers;
    uint32_t index;
    struct kw_place place;
    char name[2 * KW_PLACE_NAME_SIZE];
    char spiffe_id[KW_SPIFFE_TEXT_SIZE];
    bool calls_us;
    struct kw_hop_client *client; /* where we call */
    struct kw_timer retry;
    struct kw_wire *wire; /* the link, or NULL */
    size_t held;          /* bytes that it brought, at our owners */
};

struct kw_peers {
    struct kw_peers_options options;
    struct kw_link_hello hello; /* ours */
    struct slot slots[KW_PEERS_MAX];
    size_t count;
    struct kw_hop_server *server;
    struct kw_flush broken; /* ends links that are broken, when nobody is inside one */
    bool allowed;
    bool closing;
    size_t open; /* clients and timers that are not closed */
    void (*closed)(void *context);
    void *closed_context;
};

/* --- the end of a link --- */

#define LABEL_SIZE 48

/* "it_can't_be_read": what a metric calls it. */
static void count_cut(const char *why)
{
    char label[LABEL_SIZE];
    size_t i = 0;

    for (; i < sizeof(label) - 1 && why[i] != '\0'; i++) {
        label[i] = why[i] == ' ' ? '_' : why[i];
    }
    label[i] = '\0';
    kw_metric_add(KW_M_LINK_CUTS, label, 1);
}

/* Links come and go by these; all else is for somebody to look at. */
static bool is_ordinary(const char *why)
{
    static const char *const ordinary[] = {
        "lost",         "silent",         "it has ended the link",
        "a newer link", "a newer stream", "our owner begins anew",
        "we stop"};

    for (size_t i = 0; i < sizeof(ordinary) / sizeof(ordinary[0]); i++) {
        if (strcmp(why, ordinary[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void log_end(const struct slot *slot, const char *why)
{
    if (is_ordinary(why)) {
        KW_LOG(INFO, "link ended", KW_F_STR("peer", slot->name), KW_F_STR("why", why));
    } else {
        KW_LOG(WARN, "link cut", KW_F_STR("peer", slot->name), KW_F_STR("why", why));
    }
}

/* On a new connection, where the one that was fell silent: it may never be heard of again. */
static void call_again(struct slot *slot, bool was_silent)
{
    if (was_silent) {
        kw_hop_client_redial(slot->client);
    }
    kw_timer_start(&slot->retry, KW_LINK_RETRY_MS, 0);
}

static void end_link(struct slot *slot)
{
    const struct kw_peers_options *options = &slot->peers->options;
    struct kw_wire *wire = slot->wire;
    bool was_silent = strcmp(wire->why, "silent") == 0;

    slot->wire = NULL;
    count_cut(wire->why);
    kw_metric_set(KW_M_LINK_UP, slot->name, 0);
    kw_metric_set(KW_M_LINK_QUEUE, slot->name, 0);
    log_end(slot, wire->why);
    options->events.down(options->context, slot->index);
    kw_wire_free(wire);
    if (slot->client != NULL && !slot->peers->closing) {
        call_again(slot, was_silent);
    }
}

static void end_now(struct slot *slot, const char *why)
{
    if (slot->wire != NULL) {
        kw_wire_break(slot->wire, why);
        end_link(slot);
    }
}

static void on_flush(struct kw_flush *flush)
{
    struct kw_peers *peers = KW_CONTAINER_OF(flush, struct kw_peers, broken);

    for (size_t i = 0; i < peers->count; i++) {
        if (peers->slots[i].wire != NULL && peers->slots[i].wire->why != NULL) {
            end_link(&peers->slots[i]);
        }
    }
}

/* --- its beginning --- */

static void on_frame(void *context, const struct kw_frame *frame)
{
    const struct slot *slot = context;
    const struct kw_peers_options *options = &slot->peers->options;

    options->events.frame(options->context, slot->index, frame);
}

static void on_room(void *context)
{
    const struct slot *slot = context;
    const struct kw_peers_options *options = &slot->peers->options;

    options->events.room(options->context, slot->index);
}

static void on_broken(void *context)
{
    const struct slot *slot = context;

    kw_loop_mark(slot->peers->options.loop, &slot->peers->broken);
}

static struct kw_result make_wire(struct slot *slot, struct kw_wire **ret_wire,
                                  struct kw_error *err)
{
    const struct kw_wire_options options = {
        .hello = &slot->peers->hello,
        .peer = &slot->place,
        .held = &slot->held,
        .events = {.frame = on_frame, .room = on_room, .broken = on_broken, .context = slot},
    };

    return kw_wire_new(&options, ret_wire, err);
}

static void begin_link(struct slot *slot, struct kw_wire *wire)
{
    const struct kw_peers_options *options = &slot->peers->options;

    slot->wire = wire;
    kw_metric_set(KW_M_LINK_UP, slot->name, 1);
    KW_LOG(INFO, "link begun", KW_F_STR("peer", slot->name));
    options->events.up(options->context, slot->index);
}

/* --- calling --- */

static struct kw_result call_peer(struct slot *slot, struct kw_error *err)
{
    struct kw_wire *wire;
    struct kw_result result;

    KW_TRY(make_wire(slot, &wire, err));
    result = kw_wire_call(wire, slot->client, err);
    if (!kw_ok(result)) {
        kw_wire_free(wire);
        return result;
    }
    begin_link(slot, wire);
    return KW_OK;
}

static void try_call(struct slot *slot)
{
    if (slot->wire != NULL || !slot->peers->allowed || slot->client == NULL ||
        !kw_hop_client_connected(slot->client)) {
        return;
    }
    if (!kw_ok(call_peer(slot, NULL))) {
        kw_timer_start(&slot->retry, KW_LINK_RETRY_MS, 0);
    }
}

static void on_retry(struct kw_timer *timer)
{
    try_call(KW_CONTAINER_OF(timer, struct slot, retry));
}

/* A new stream takes the place of the one that the link is on: certificates were looked at anew. */
static void on_state(bool connected, struct kw_id peer_boot_id, void *context)
{
    struct slot *slot = context;

    (void)peer_boot_id;
    if (connected && !slot->peers->closing) {
        end_now(slot, "a newer stream");
        try_call(slot);
    }
}

/* --- being called --- */

static struct slot *slot_of(struct kw_peers *peers, const char *spiffe_id)
{
    for (size_t i = 0; i < peers->count; i++) {
        if (strcmp(peers->slots[i].spiffe_id, spiffe_id) == 0) {
            return &peers->slots[i];
        }
    }
    return NULL;
}

static void refuse(struct kw_hop_call *call, enum kw_reason reason, const char *why)
{
    const struct kw_hop_status status = {.reason = reason, .description = why};

    kw_hop_finish(call, &status, KW_BYTES_NONE);
}

static void take_call(struct slot *slot, struct kw_hop_call *call)
{
    struct kw_wire *wire;

    end_now(slot, "a newer link");
    if (!kw_ok(make_wire(slot, &wire, NULL))) {
        refuse(call, KW_E_MEMORY, "");
        return;
    }
    kw_wire_serve(wire, call);
    begin_link(slot, wire);
}

static void on_open(struct kw_hop_call *call, const struct kw_hop_peer *peer,
                    const struct kw_hop_open *open, void *context)
{
    struct kw_peers *peers = context;
    struct slot *slot = slot_of(peers, peer->spiffe_id);

    if (open->method != KW_METHOD_LINK) {
        refuse(call, KW_E_METHOD_UNKNOWN, "");
    } else if (slot == NULL || !slot->calls_us) {
        refuse(call, KW_E_PERMISSION_DENIED, "of these two cells the other one calls");
    } else if (open->has_item || open->end) {
        refuse(call, KW_E_ARGUMENT_INVALID, "a link begins with nothing");
    } else if (!peers->allowed) {
        refuse(call, KW_E_PEER_UNAVAILABLE, "its owners are not there yet");
    } else {
        take_call(slot, call);
    }
}

/* --- its life --- */

static struct kw_result slot_start(struct slot *slot, struct kw_error *err)
{
    const struct kw_peers_options *options = &slot->peers->options;
    const char *const targets[] = {kw_cells_address(options->cells, &slot->place), NULL};
    const struct kw_hop_client_options hop = {
        .targets = targets,
        .credentials_dir = options->credentials_dir,
        .trust_domain = options->trust_domain,
        .peer = slot->spiffe_id,
        .state = on_state,
        .context = slot,
    };

    KW_TRY(kw_hop_client_new(options->rpc, &hop, &slot->client, err));
    slot->peers->open++;
    return KW_OK;
}

static struct kw_result slot_init(struct kw_peers *peers, const struct kw_place *place,
                                  struct kw_error *err)
{
    struct slot *slot = &peers->slots[peers->count];
    struct kw_spiffe id;

    *slot = (struct slot){.peers = peers, .index = (uint32_t)peers->count, .place = *place};
    KW_TRY(kw_spiffe_service(peers->options.trust_domain, place->region, place->cell, "replicator",
                             &id, err));
    (void)kw_spiffe_text(&id, slot->spiffe_id);
    (void)snprintf(slot->name, sizeof(slot->name), "%.*s/%.*s", (int)sizeof(place->region) - 1,
                   place->region, (int)sizeof(place->cell) - 1, place->cell);
    slot->calls_us = kw_place_calls(place, &peers->options.cells->us);
    kw_timer_init(&slot->retry, peers->options.loop, on_retry);
    peers->open++;
    peers->count++;
    kw_metric_set(KW_M_LINK_UP, slot->name, 0);
    return slot->calls_us ? KW_OK : slot_start(slot, err);
}

static struct kw_result slots_init(struct kw_peers *peers, struct kw_error *err)
{
    const struct kw_cells *cells = peers->options.cells;
    struct kw_places places = kw_cells_places(cells);
    struct kw_place found[KW_PEERS_MAX];
    size_t count = kw_place_peers(&places, &cells->us, found);

    KW_ENSURE(count <= KW_PEERS_MAX, err, LIMIT_REACHED, "%zu peers", count);
    for (size_t i = 0; i < count; i++) {
        KW_TRY(slot_init(peers, &found[i], err));
    }
    return KW_OK;
}

/* Replicators of linked cells, and nobody else. */
static struct kw_result listen_start(struct kw_peers *peers, int *ret_port, struct kw_error *err)
{
    const char *ids[KW_PEERS_MAX + 1] = {NULL};
    const struct kw_hop_server_options options = {
        .listen = peers->options.listen,
        .credentials_dir = peers->options.credentials_dir,
        .trust_domain = peers->options.trust_domain,
        .peers = ids,
        .handler = {.open = on_open, .context = peers},
    };

    for (size_t i = 0; i < peers->count; i++) {
        ids[i] = peers->slots[i].spiffe_id;
    }
    return kw_hop_server_new(peers->options.rpc, &options, &peers->server, ret_port, err);
}

struct kw_result kw_peers_new(const struct kw_peers_options *options, struct kw_peers **ret_peers,
                              int *ret_port, struct kw_error *err)
{
    struct kw_peers *peers = calloc(1, sizeof(*peers));

    *ret_peers = peers;
    KW_ENSURE(peers != NULL, err, MEMORY, "peers");
    peers->options = *options;
    peers->hello = (struct kw_link_hello){.place = options->cells->us,
                                          .version = KW_LINK_VERSION,
                                          .version_lowest = KW_LINK_VERSION_LOWEST};
    peers->broken.run = on_flush;
    KW_TRY(slots_init(peers, err));
    return listen_start(peers, ret_port, err);
}

void kw_peers_allow(struct kw_peers *peers)
{
    if (peers->closing) {
        return;
    }
    peers->allowed = true;
    for (size_t i = 0; i < peers->count; i++) {
        try_call(&peers->slots[i]);
    }
}

static void end_all(struct kw_peers *peers)
{
    peers->allowed = false;
    peers->closing = true;
    for (size_t i = 0; i < peers->count; i++) {
        end_now(&peers->slots[i], "we stop");
    }
}

void kw_peers_drain(struct kw_peers *peers, void (*drained)(void *context), void *context)
{
    end_all(peers);
    kw_hop_server_drain(peers->server, drained, context);
}

/* --- closing --- */

static void close_one(struct kw_peers *peers)
{
    peers->open--;
    if (peers->open == 0) {
        peers->closed(peers->closed_context);
    }
}

static void timer_closed(struct kw_timer *timer)
{
    struct slot *slot = KW_CONTAINER_OF(timer, struct slot, retry);

    close_one(slot->peers);
}

static void client_closed(void *context)
{
    struct slot *slot = context;

    slot->client = NULL;
    close_one(slot->peers);
}

static void server_closed(void *context)
{
    struct kw_peers *peers = context;

    peers->server = NULL;
    close_one(peers);
}

void kw_peers_close(struct kw_peers *peers, void (*closed)(void *context), void *context)
{
    peers->closed = closed;
    peers->closed_context = context;
    end_all(peers);
    peers->open++; /* the server, or this */
    for (size_t i = 0; i < peers->count; i++) {
        struct slot *slot = &peers->slots[i];

        kw_timer_close(&slot->retry, timer_closed);
        if (slot->client != NULL) {
            kw_hop_client_close(slot->client, client_closed, slot);
        }
    }
    if (peers->server != NULL) {
        kw_hop_server_close(peers->server, server_closed, peers);
    } else {
        server_closed(peers);
    }
}

void kw_peers_free(struct kw_peers *peers)
{
    free(peers);
}

/* --- what is done with a link --- */

void kw_peers_send(struct kw_peers *peers, uint32_t peer, const struct kw_frame *frame)
{
    if (peers->slots[peer].wire != NULL) {
        kw_wire_send(peers->slots[peer].wire, frame);
    }
}

bool kw_peers_room(struct kw_peers *peers, uint32_t peer)
{
    return peers->slots[peer].wire != NULL && kw_wire_room(peers->slots[peer].wire);
}

bool kw_peers_urgent_room(const struct kw_peers *peers, uint32_t peer)
{
    return peers->slots[peer].wire != NULL && kw_wire_urgent_room(peers->slots[peer].wire);
}

void kw_peers_cut(struct kw_peers *peers, uint32_t peer, const char *why)
{
    if (peers->slots[peer].wire != NULL) {
        kw_wire_break(peers->slots[peer].wire, why);
    }
}

void kw_peers_hold(struct kw_peers *peers, uint32_t peer, size_t len)
{
    peers->slots[peer].held += len;
}

void kw_peers_judged(struct kw_peers *peers, uint32_t peer, size_t len)
{
    struct slot *slot = &peers->slots[peer];

    slot->held -= len;
    if (slot->wire != NULL) {
        kw_wire_judged(slot->wire);
    }
}

size_t kw_peers_count(const struct kw_peers *peers)
{
    return peers->count;
}

const char *kw_peers_name(const struct kw_peers *peers, uint32_t peer)
{
    return peers->slots[peer].name;
}

const struct kw_place *kw_peers_place(const struct kw_peers *peers, uint32_t peer)
{
    return &peers->slots[peer].place;
}

bool kw_peers_linked(const struct kw_peers *peers, const struct kw_place *place)
{
    for (size_t i = 0; i < peers->count; i++) {
        if (kw_place_equal(&peers->slots[i].place, place)) {
            return peers->slots[i].wire != NULL;
        }
    }
    return false;
}

uint32_t kw_peers_version(const struct kw_peers *peers, uint32_t peer)
{
    return peers->slots[peer].wire != NULL ? peers->slots[peer].wire->version : 0;
}

size_t kw_peers_queued(const struct kw_peers *peers, uint32_t peer)
{
    return peers->slots[peer].wire != NULL ? peers->slots[peer].wire->queued : 0;
}
