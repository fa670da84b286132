/* One forwarded call, as the files that share its work see it: call.c (the edge's side), call_hop.c
 * (authz's side), call_replay.c (the request cache). */
#ifndef KW_SERVICES_GATEWAY_CALL_INTERNAL_H
#define KW_SERVICES_GATEWAY_CALL_INTERNAL_H

#include "common/rpc/methods.h"
#include "common/rpc/resource.h"
#include "services/gateway/call.h"
#include "services/gateway/gateway.h"
#include "services/gateway/queue.h"
#include "services/gateway/wait.h"

#include <protobuf-c/protobuf-c.h>

/* The copy of an earlier outcome that may be released if authz says so. */
struct kw_call_replay {
    bool usable; /* there is a key: the method mutates and the request names itself */
    struct kw_cache_key key;
    struct kw_cache_get *looking; /* NULL: not looking, or not any more */
    struct kw_buf outcome;        /* found; empty with `found` is an empty message */
    bool found;
};

struct kw_call {
    struct kw_serving serving;
    const struct kw_method *row;
    const ProtobufCMessageDescriptor *request;
    struct kw_bytes signature;   /* lives as long as the edge's call */
    struct kw_bytes traceparent; /* likewise */
    Keyward__Internal__V1__Copies wait;
    struct kw_hop_call *hop; /* NULL: not opened, or over */
    bool opened;
    bool retried;
    bool has_body;
    bool ended;              /* the client sends no more */
    bool end_sent;           /* and authz knows */
    struct kw_buf body;      /* the one message of a unary request */
    struct kw_queue inward;  /* messages that wait for the hop */
    struct kw_queue outward; /* messages that wait for the client */
    struct kw_buf answer;    /* the one message of a unary answer */
    bool has_answer;
    bool replayed;                         /* authz: an earlier call had this effect */
    bool local_only;                       /* durable in this cell alone, so far */
    Keyward__Internal__V1__Copies reached; /* where something was waited for */
    bool done;                             /* the status is known, and waits for `outward` */
    struct kw_hop_status done_status;
    char receipt[KW_RESOURCE_NAME_SIZE]; /* empty: none */
    struct kw_call_replay replay;
};

static inline bool kw_call_streams_in(const struct kw_call *call)
{
    return kw_method_has(call->row, KW_METHOD_CLIENT_STREAM);
}

static inline bool kw_call_streams_out(const struct kw_call *call)
{
    return kw_method_has(call->row, KW_METHOD_SERVER_STREAM);
}

/* --- call_hop.c --- */

/* Opens the hop call with this first message. False: the call is finished, and gone. */
bool kw_call_forward(struct kw_call *call, struct kw_bytes message);

/* Sends on what waits, and END after it if the client has ended. Not when authz has answered. May
 * end the call. */
void kw_call_push_inward(struct kw_call *call);

/* Gives the client what waits, and the status after it if that is known. May end the call. */
void kw_call_push_outward(struct kw_call *call);

/* --- call_replay.c --- */

/* The request is whole and well-formed: looks for an earlier outcome if it may have one, then
 * forwards it. May end the call. */
void kw_call_replay_begin(struct kw_call *call);

/* Keeps what was answered for the next who asks the same. */
void kw_call_replay_keep(struct kw_call *call);

void kw_call_replay_done(struct kw_call *call);

#endif
