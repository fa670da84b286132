/* What owners ask one another: telling ours whom it may ask, asking it for others, and bringing it answers. */
#include "services/replicator/owner_internal.h"

#include "common/base/log.h"
#include "common/rpc/messages.h"
#include "common/rpc/methods.h"

#include <stdlib.h>

/* --- whom it may ask --- */

/* One of an earlier release does not know the call, and is not told again. */
static void on_peers_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                            struct kw_bytes context, void *user)
{
    const struct kw_owner_client *client = user;

    (void)call;
    (void)context;
    if (status->reason != KW_E_NONE && status->reason != KW_E_PERMISSION_DENIED &&
        status->reason != KW_E_METHOD_UNKNOWN) {
        client->options.events.peers_untold(client->options.context, client->options.owner);
    }
}

void kw_owner_peers(struct kw_owner_client *client, const struct kw_owner_peer *peers, size_t count)
{
    static const struct kw_hop_events events = {.status = on_peers_status};
    Keyward__Internal__V1__FeedPeersRequest request =
        KEYWARD__INTERNAL__V1__FEED_PEERS_REQUEST__INIT;
    Keyward__Internal__V1__FeedPeer wires[KW_PEERS_MAX];
    Keyward__Internal__V1__FeedPeer *list[KW_PEERS_MAX];
    struct kw_hop_call *call;

    for (size_t i = 0; i < count; i++) {
        keyward__internal__v1__feed_peer__init(&wires[i]);
        wires[i].store = kw_field_bytes(kw_id_bytes(&peers[i].store));
        wires[i].region = kw_field_text(peers[i].place->region);
        list[i] = &wires[i];
    }
    request.peers = list;
    request.n_peers = count;
    if (!kw_ok(kw_owner_open(client, KW_METHOD_FEED_PEERS, &request.base, true, &events, client,
                             &call, NULL))) {
        client->options.events.peers_untold(client->options.context, client->options.owner);
    }
}

/* --- others' questions --- */

struct asking {
    struct kw_owner_client *client;
    struct kw_owner_asked asked;
    struct kw_buf piece; /* one piece late: only then is it known whether it was the last */
    bool begun;
};

static void reply(const struct asking *asking, struct kw_bytes piece, bool more)
{
    const struct kw_owner_options *options = &asking->client->options;

    options->events.replied(options->context, options->owner, &asking->asked, piece, more);
}

static void asking_end(struct asking *asking, struct kw_bytes piece)
{
    reply(asking, piece, false);
    kw_buf_done(&asking->piece);
    free(asking);
}

static struct kw_result take_piece(struct asking *asking, struct kw_bytes item,
                                   struct kw_arena **arena, struct kw_error *err)
{
    const Keyward__Internal__V1__FeedAskResponse *wire;
    ProtobufCMessage *message;

    KW_TRY(kw_owner_unpack(&keyward__internal__v1__feed_ask_response__descriptor, item, arena,
                           &message, err));
    wire = (const Keyward__Internal__V1__FeedAskResponse *)message;
    KW_ENSURE(wire->record.len > 0 && wire->record.len <= KW_FEED_PIECE_LEN_MAX, err,
              ENCODING_INVALID, "feed: a piece of %zu bytes", wire->record.len);
    if (asking->begun) {
        reply(asking, kw_buf_bytes(&asking->piece), true);
    }
    asking->begun = true;
    kw_buf_clear(&asking->piece);
    return kw_buf_append(&asking->piece, kw_bytes_field(wire->record), err);
}

static void on_ask_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct asking *asking = user;
    struct kw_arena *arena = NULL;
    struct kw_error error = {0};
    struct kw_result taken;

    kw_hop_consume(call, item.data.len);
    taken = take_piece(asking, item.data, &arena, &error);
    kw_arena_free(arena);
    if (!kw_ok(taken)) {
        KW_LOG(ERROR, "an owner's answer is not understood",
               KW_F_STR("owner", kw_owner_name(asking->client->options.owner)), KW_F_ERR(&error));
        kw_hop_cancel(call);
        asking_end(asking, KW_BYTES_NONE);
    }
}

static void on_ask_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                          struct kw_bytes context, void *user)
{
    struct asking *asking = user;

    (void)call;
    (void)context;
    asking_end(asking, status->reason == KW_E_NONE ? kw_buf_bytes(&asking->piece) : KW_BYTES_NONE);
}

void kw_owner_ask(struct kw_owner_client *client, const struct kw_owner_asked *asked,
                  struct kw_bytes record)
{
    static const struct kw_hop_events events = {.data = on_ask_data, .status = on_ask_status};
    Keyward__Internal__V1__FeedAskRequest request = KEYWARD__INTERNAL__V1__FEED_ASK_REQUEST__INIT;
    const struct kw_owner_options *options = &client->options;
    struct asking *asking = calloc(1, sizeof(*asking));
    struct kw_hop_call *call;

    if (asking == NULL) {
        options->events.replied(options->context, options->owner, asked, KW_BYTES_NONE, false);
        return;
    }
    asking->client = client;
    asking->asked = *asked;
    request.record = kw_field_bytes(record);
    if (!kw_ok(kw_owner_open(client, KW_METHOD_FEED_ASK, &request.base, true, &events, asking,
                             &call, NULL))) {
        asking_end(asking, KW_BYTES_NONE);
    }
}

/* --- answers --- */

static void on_answered_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                               struct kw_bytes context, void *user)
{
    (void)call;
    (void)status; /* what it did not take it asks again */
    (void)context;
    (void)user;
}

void kw_owner_answered(struct kw_owner_client *client, uint64_t number, uint32_t part,
                       struct kw_bytes piece, bool more)
{
    static const struct kw_hop_events events = {.status = on_answered_status};
    Keyward__Internal__V1__FeedAnsweredRequest request =
        KEYWARD__INTERNAL__V1__FEED_ANSWERED_REQUEST__INIT;
    struct kw_hop_call *call;

    request.number = number;
    request.part = part;
    request.record = kw_field_bytes(piece);
    request.more = more;
    KW_IGNORE(kw_owner_open(client, KW_METHOD_FEED_ANSWERED, &request.base, true, &events, client,
                            &call, NULL));
}
