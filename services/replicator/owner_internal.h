/* What the owner's files share. Not for users of owner.h. */
#ifndef KW_SERVICES_REPLICATOR_OWNER_INTERNAL_H
#define KW_SERVICES_REPLICATOR_OWNER_INTERNAL_H

#include "common/base/arena.h"
#include "common/base/limits.h"
#include "services/replicator/owner.h"

#include <keyward/internal/v1/feed.pb-c.h>

struct kw_owner_apply;
struct kw_owner_ack;

struct kw_owner_applies {
    struct kw_owner_apply *first;
    struct kw_owner_apply **last; /* NULL: nothing was ever added */
};

struct kw_owner_client {
    struct kw_owner_options options;
    struct kw_hop_client *hop;
    struct kw_hop_call *standing; /* FEED_SUBSCRIBE, or NULL */
    bool told;                    /* its first message is here */
    struct kw_id boot_id;         /* of the owner's process that told us last; none: nobody yet */
    struct kw_id store;
    struct kw_timer retry;
    bool closing;
    void (*closed)(void *context);
    void *closed_context;
    /* owner_apply.c */
    struct kw_owner_applies urgent; /* that wait, oldest first */
    struct kw_owner_applies waiting;
    struct kw_owner_apply *going; /* of which a part is sent */
    size_t applying;              /* bytes that are sent and not judged */
    /* owner_ack.c */
    struct kw_owner_ack *acks; /* not noted yet, oldest first */
    size_t ack_count;
    size_t acks_running;
};

/* Opens a call on the standing call's stream. `message` is its only or first item. Fails: as kw_hop_open;
 * PEER_UNAVAILABLE without a standing call. */
struct kw_result kw_owner_open(struct kw_owner_client *client, uint32_t method,
                               const ProtobufCMessage *message, bool end,
                               const struct kw_hop_events *events, void *user,
                               struct kw_hop_call **ret_call, struct kw_error *err);

/* Packs a message into an arena of its own, which the caller frees. Fails: MEMORY. */
struct kw_result kw_owner_pack(const ProtobufCMessage *message, struct kw_arena **ret_arena,
                               struct kw_bytes *ret_bytes, struct kw_error *err);

/* Unpacks an item into an arena of its own, which the caller frees, on failure too. Fails: MEMORY,
 * ENCODING_INVALID. */
struct kw_result kw_owner_unpack(const ProtobufCMessageDescriptor *type, struct kw_bytes bytes,
                                 struct kw_arena **ret_arena, ProtobufCMessage **ret_message,
                                 struct kw_error *err);

/* A lane and how far. Fails: ENCODING_INVALID (nothing, or no id). */
struct kw_result kw_owner_extent(const Keyward__Internal__V1__FeedExtent *wire,
                                 struct kw_id *ret_lane, struct kw_extent *ret_extent,
                                 struct kw_error *err);

/* owner_apply.c: sends what may be sent; ends what waits without an answer. */
void kw_owner_apply_pump(struct kw_owner_client *client);
void kw_owner_apply_drop(struct kw_owner_client *client);

/* owner_ack.c: the same. */
void kw_owner_ack_pump(struct kw_owner_client *client);
void kw_owner_ack_drop(struct kw_owner_client *client);

#endif
