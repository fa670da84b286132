/* Telling an owner how far peers are. Of one lane, store and teller only the newest is told: while one is on its
 * way the next ones wait, and become one. */
#include "services/replicator/owner_internal.h"

#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/rpc/messages.h"
#include "common/rpc/methods.h"

#include <stdlib.h>

struct kw_owner_ack {
    struct kw_owner_ack *next;
    struct kw_owner_client *client;
    struct kw_place place;
    struct kw_id store;
    struct kw_id lane;
    uint64_t seq;
    uint64_t told;
    bool running;
};

static void forget(struct kw_owner_ack *ack)
{
    struct kw_owner_client *client = ack->client;
    struct kw_owner_ack **link = &client->acks;

    while (*link != ack) {
        link = &(*link)->next;
    }
    *link = ack->next;
    client->ack_count--;
    free(ack);
}

/* An owner that was lost is told again when it is there; one that refuses is not asked the same again. */
static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    struct kw_owner_ack *ack = user;
    struct kw_owner_client *client = ack->client;
    bool lost = status->reason == KW_E_PEER_UNAVAILABLE || status->reason == KW_E_DRAINING;

    (void)call;
    (void)context;
    ack->running = false;
    client->acks_running--;
    if (status->reason != KW_E_NONE && !lost) {
        KW_LOG(WARN, "an acknowledgement was not noted",
               KW_F_STR("owner", kw_owner_name(client->options.owner)),
               KW_F_STR("reason", kw_reason_row(status->reason)->name));
    }
    if (!lost && ack->seq == ack->told) {
        forget(ack);
    }
    if (!lost) {
        kw_owner_ack_pump(client);
    }
}

static bool tell(struct kw_owner_ack *ack)
{
    static const struct kw_hop_events events = {.status = on_status};
    Keyward__Internal__V1__FeedAckRequest request = KEYWARD__INTERNAL__V1__FEED_ACK_REQUEST__INIT;
    struct kw_owner_client *client = ack->client;
    struct kw_hop_call *call;

    request.store = kw_field_bytes(kw_id_bytes(&ack->store));
    request.lane = kw_field_bytes(kw_id_bytes(&ack->lane));
    request.seq = ack->seq;
    request.region = ack->place.region;
    request.cell = ack->place.cell;
    if (!kw_ok(kw_owner_open(client, KW_METHOD_FEED_ACK, &request.base, true, &events, ack, &call,
                             NULL))) {
        return false;
    }
    ack->running = true;
    ack->told = ack->seq;
    client->acks_running++;
    return true;
}

void kw_owner_ack_pump(struct kw_owner_client *client)
{
    struct kw_owner_ack *ack = client->acks;

    while (ack != NULL && client->acks_running < KW_OWNER_ACKS_RUNNING &&
           (ack->running || tell(ack))) {
        ack = ack->next;
    }
}

/* Where it is, or, pointing to NULL, where it goes. */
static struct kw_owner_ack **find(struct kw_owner_client *client, const struct kw_place *place,
                                  struct kw_id store, struct kw_id lane)
{
    struct kw_owner_ack **link = &client->acks;

    while (*link != NULL &&
           !(kw_place_equal(&(*link)->place, place) && kw_id_equal((*link)->store, store) &&
             kw_id_equal((*link)->lane, lane))) {
        link = &(*link)->next;
    }
    return link;
}

static struct kw_owner_ack *make(struct kw_owner_client *client, const struct kw_place *place,
                                 struct kw_id store, struct kw_id lane)
{
    struct kw_owner_ack *ack =
        client->ack_count < KW_OWNER_ACKS_MAX ? calloc(1, sizeof(*ack)) : NULL;

    if (ack != NULL) {
        *ack =
            (struct kw_owner_ack){.client = client, .place = *place, .store = store, .lane = lane};
        client->ack_count++;
    }
    return ack;
}

void kw_owner_ack(struct kw_owner_client *client, const struct kw_place *place, struct kw_id store,
                  struct kw_id lane, uint64_t seq)
{
    struct kw_owner_ack **link = find(client, place, store, lane);

    if (*link == NULL) {
        *link = make(client, place, store, lane);
    }
    if (*link == NULL) { /* the next of this lane says as much, and more */
        kw_metric_add(KW_M_LIMITS_REACHED, "owner_acks", 1);
        return;
    }
    (*link)->seq = seq;
    kw_owner_ack_pump(client);
}

void kw_owner_ack_drop(struct kw_owner_client *client)
{
    struct kw_owner_ack *ack = client->acks;

    client->acks = NULL;
    client->ack_count = 0;
    while (ack != NULL) {
        struct kw_owner_ack *next = ack->next;

        free(ack);
        ack = next;
    }
}
