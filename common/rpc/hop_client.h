/* Inside common/rpc: the client and its links. */
#ifndef KW_COMMON_RPC_HOP_CLIENT_H
#define KW_COMMON_RPC_HOP_CLIENT_H

#include "common/rpc/hop_roles.h"

#include <grpc/grpc_security.h>

/* One address. A stream is replaced by making the next one first: calls go to `stream` until `next`
 * is ready. */
struct kw_hop_link {
    struct kw_hop_client *client;
    struct kw_hop_stream *stream; /* takes calls, or NULL */
    struct kw_hop_stream *next;   /* being dialled, or NULL */
    struct kw_timer timer; /* next != NULL: patience; waiting: back-off; else: age of `stream` */
    struct kw_hop_target *origin; /* the name it is an address of, or NULL */
    bool listed;                  /* the last lookup of that name gave it */
    unsigned failures;            /* to connect, in a row */
    char target[];
};

struct kw_hop_client {
    struct kw_rpc *rpc;
    grpc_channel_credentials *creds;
    char *peer;
    void (*state)(bool connected, struct kw_id peer_boot_id, void *context);
    void *state_context;
    struct kw_hop_dial *dials;     /* every stream with its channel, retired ones too */
    struct kw_hop_target *targets; /* those that are names */
    struct kw_hop_link *links[KW_HOP_TARGETS_MAX];
    size_t link_count;
    size_t last_chosen;
    struct kw_hop_stats stats;
    size_t alive; /* streams, links and targets that are not gone */
    bool closing;
    void (*closed)(void *context);
    void *closed_context;
};

/* Adds "host:port": a link if the host is an address, else one for each address the name has, now
 * and later. Fails: CONFIG_INVALID (not host:port), LIMIT_REACHED, MEMORY. */
struct kw_result kw_hop_target_add(struct kw_hop_client *client, const char *text,
                                   struct kw_error *err);
void kw_hop_targets_close(struct kw_hop_client *client);

/* A link, among the client's, that starts to dial at once. Fails: LIMIT_REACHED
 * (KW_HOP_TARGETS_MAX), MEMORY. */
struct kw_result kw_hop_link_new(struct kw_hop_client *client, const char *target,
                                 struct kw_hop_target *origin, struct kw_hop_link **ret_link,
                                 struct kw_error *err);

/* Breaks its streams and frees it; the caller takes it off the client's list. The client learns of
 * the end by kw_hop_client_released. */
void kw_hop_link_close(struct kw_hop_link *link);

/* Breaks every stream, those that only finish their calls too. */
void kw_hop_dials_cut(struct kw_hop_client *client);

/* One of `alive` is gone. */
void kw_hop_client_released(struct kw_hop_client *client);

#endif
