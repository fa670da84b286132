/* FEED_PEERS. */
#include "common/feed_service/neighbours.h"

#include "common/feed_service/feed_service_internal.h"
#include "common/rpc/messages.h"

#include <keyward/internal/v1/feed.pb-c.h>

bool kw_feed_neighbours_have(const struct kw_feed_neighbours *neighbours, struct kw_id store)
{
    for (size_t i = 0; i < neighbours->count; i++) {
        if (kw_id_equal(neighbours->list[i].store, store)) {
            return true;
        }
    }
    return false;
}

static struct kw_result read_one(const Keyward__Internal__V1__FeedPeer *wire,
                                 struct kw_feed_neighbour *ret_one, struct kw_error *err)
{
    size_t len = strlen(wire->region);

    KW_ENSURE(len < sizeof(ret_one->region), err, ENCODING_INVALID, "a region of %zu bytes", len);
    kw_copy(ret_one->region, wire->region, len + 1);
    return kw_id_from_bytes(kw_bytes_field(wire->store), &ret_one->store, err);
}

static struct kw_result read_all(const struct kw_hop_open *open, struct kw_arena *arena,
                                 struct kw_feed_neighbours *ret_all, struct kw_error *err)
{
    Keyward__Internal__V1__FeedPeersRequest *message;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for peers");
    KW_ENSURE(open->has_item && open->end, err, ENCODING_INVALID, "a call without request");
    KW_TRY(kw_message_unpack(&keyward__internal__v1__feed_peers_request__descriptor,
                             open->item.data, arena, (ProtobufCMessage **)&message, err));
    KW_ENSURE(message->n_peers <= KW_PEERS_MAX, err, ENCODING_INVALID, "%zu peers",
              message->n_peers);
    for (size_t i = 0; i < message->n_peers; i++) {
        KW_TRY(read_one(message->peers[i], &ret_all->list[i], err));
    }
    ret_all->count = message->n_peers;
    return KW_OK;
}

void kw_feed_neighbours_open(struct kw_feed_service *service, struct kw_hop_call *hop,
                             const struct kw_hop_open *open)
{
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_feed_neighbours all = {0};
    struct kw_error error = {0};
    struct kw_result taken = read_all(open, arena, &all, &error);

    kw_arena_free(arena);
    if (!kw_ok(taken)) {
        kw_feed_call_fail(service, hop, &error);
        return;
    }
    service->neighbours = all;
    kw_feed_call_succeed(hop);
    kw_feed_errands_hurry(service);
}
