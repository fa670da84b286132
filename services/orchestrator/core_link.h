/* The link to the crypto core: calls, and the receipts that come back by them.
 *
 *     kw_core_call_start ──hop──▶ core
 *     done(call)          ◀────── answer, its receipt checked and in turn (receipt_window.h)
 *       … the caller makes receipt and effect durable …
 *     kw_core_link_durable ─────▶ acknowledged on the standing call RECEIPTS, once a turn
 *
 * On the standing call come checkpoints, and receipts whose answer found nobody waiting; the link
 * stores both itself. What does not fit the chain stops the link: it takes no call until the core
 * (or this process) has started anew, because an answer without its place in the chain must not
 * leave this layer. `broken` asks for that (core_anew.c). Loop thread only.
 */
#ifndef KW_SERVICES_ORCHESTRATOR_CORE_LINK_H
#define KW_SERVICES_ORCHESTRATOR_CORE_LINK_H

#include "common/audit/capsule.h"
#include "common/base/arena.h"
#include "common/feed/feed.h"
#include "common/rpc/hop.h"
#include "common/rpc/rpc.h"
#include "common/store/store.h"
#include "services/orchestrator/receipt_window.h"

#include <keyward/internal/v1/core.pb-c.h>

struct kw_core_link;

struct kw_core_link_options {
    struct kw_rpc *rpc;
    struct kw_loop *loop;
    struct kw_store *store;
    struct kw_feed *feed;       /* for write jobs */
    const char *const *targets; /* one core: the standing call has no way to choose among several */
    const char *credentials_dir;
    const char *trust_domain;
    const char *peer;              /* SPIFFE id of the core */
    struct kw_id boot_id;          /* ours: it names the stream */
    _Atomic bool *ready;           /* kept as kw_core_link_ready says, for other threads */
    void (*up)(void *context);     /* it has become ready */
    void (*broken)(void *context); /* only another life of this process helps; may be NULL */
    void *context;
};

struct kw_result kw_core_link_new(const struct kw_core_link_options *options,
                                  struct kw_core_link **ret_link, struct kw_error *err);

/* Calls in flight end as if the core were lost; `closed` when nothing comes from it any more. */
void kw_core_link_close(struct kw_core_link *link, void (*closed)(void *context), void *context);

/* After `closed`, when no call uses it. Accepts NULL. */
void kw_core_link_free(struct kw_core_link *link);

/* The hop itself, for what needs no receipt; what it points at is NULL once the hop is closed. */
struct kw_hop_client *const *kw_core_link_hop(const struct kw_core_link *link);

/* Connected, and the chain is whole. */
bool kw_core_link_ready(const struct kw_core_link *link);

/* A receipt on its way through the window: what a call and a notice have in common. */
struct kw_core_receipt {
    struct kw_receipt_entry entry;
    /* Its turn has come; or it never will (`result`, `error`). */
    void (*turn)(struct kw_core_receipt *receipt, struct kw_result result,
                 const struct kw_error *error);
};

/* One call of the core. Embedded in whoever waits; must stay valid until `done` ran. */
struct kw_core_call {
    struct kw_core_link *link;
    struct kw_hop_call *hop;
    struct kw_arena *arena; /* the answer is unpacked here */
    bool needs_receipt; /* the answer is a CoreReply with a receipt; else its bytes are not looked
                           at */
    void (*done)(struct kw_core_call *call);

    struct kw_result result;
    struct kw_error error;
    char field[64]; /* of the body, when the core blames one */
    bool answered;
    struct kw_bytes data;                    /* the answer */
    Keyward__Internal__V1__CoreReply *reply; /* unpacked, with needs_receipt */
    struct kw_core_receipt receipt;
};

struct kw_core_question {
    uint32_t method;
    uint64_t deadline_ns;
    struct kw_bytes trace;
    struct kw_bytes data;    /* CoreRequest */
    struct kw_bytes context; /* Authorization */
};

/* Sends the question; `call->arena`, `needs_receipt` and `done` are set. On success `done` comes
 * exactly once, not before this returns. Fails: as kw_hop_open; PEER_UNAVAILABLE (the chain is
 * broken); STORE_FULL (there may be no room for its receipt). */
struct kw_result kw_core_call_start(struct kw_core_link *link, struct kw_core_call *call,
                                    const struct kw_core_question *question, struct kw_error *err);

/* The receipt is durable: acknowledge it when this turn ends. */
void kw_core_link_durable(struct kw_core_link *link, const struct kw_receipt *receipt);

/* The newest durable head of the connected core's chain. False: there is none yet. */
bool kw_core_link_head(const struct kw_core_link *link, struct kw_witness *ret_head);

/* The receipt could not be stored. While the store lives the link keeps a copy and tries again until
 * it is, and no call that needs a receipt goes to the core; else the link stops. `parent` as
 * kw_receipt_log_put has it. */
void kw_core_receipt_unstored(struct kw_core_link *link, const struct kw_receipt_entry *entry,
                              const char *parent, const struct kw_error *error);

/* Stops the link. Logs. */
void kw_core_link_break(struct kw_core_link *link, struct kw_id core, const struct kw_error *error);

#endif
