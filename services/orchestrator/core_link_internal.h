/* Inside the link: its parts, shared by core_link.c (life, calls), core_receipts.c (the chain),
 * core_standing.c (the standing call), core_owed.c (receipts not stored yet) and core_anew.c (the
 * end). */
#ifndef KW_SERVICES_ORCHESTRATOR_CORE_LINK_INTERNAL_H
#define KW_SERVICES_ORCHESTRATOR_CORE_LINK_INTERNAL_H

#include "services/orchestrator/core_link.h"

struct kw_core_link {
    struct kw_loop *loop;
    struct kw_store *store;
    struct kw_feed *feed; /* of the thread of write jobs */
    struct kw_hop_client *client;
    struct kw_id boot_id;
    bool connected;
    bool closing;
    bool finished;
    struct kw_id core; /* the life of the core we are connected to */
    _Atomic bool *ready;
    void (*up)(void *context);
    void (*broken)(void *context);
    void *context;
    uint64_t born_ns;
    struct kw_timer anew_timer;

    struct kw_receipt_window *windows[KW_CORE_BOOTS_MAX]; /* newest first */
    struct kw_timer gap_timer;

    struct kw_hop_call *standing;
    struct kw_timer retry_timer;
    struct kw_flush ack_flush;
    uint64_t acked;

    struct kw_owed *owed; /* receipts that could not be stored yet, in order */
    struct kw_owed **owed_end;
    struct kw_timer owed_timer;

    size_t timers_open;
    size_t notices; /* being stored; what is owed is counted too */
    void (*closed)(void *context);
    void *closed_context;
};

/* --- core_receipts.c --- */

/* The window of this life of the core; NULL when we do not know it. */
struct kw_receipt_window *kw_core_window(const struct kw_core_link *link, struct kw_id core);

/* Makes room for a new life of the core. Fails: MEMORY. */
struct kw_result kw_core_window_open(struct kw_core_link *link, struct kw_id core,
                                     struct kw_error *err);

/* Decodes `record` into the receipt and hands it to its window. Its `turn` comes, perhaps at once;
 * or
 * `*ret_known` says that it was taken before. A failure stops the link.
 * Fails: ENCODING_INVALID, PEER_UNAVAILABLE (broken, or another copy of it waits for its turn). */
struct kw_result kw_core_receipt_offer(struct kw_core_link *link, struct kw_core_receipt *receipt,
                                       struct kw_bytes record, bool *ret_known,
                                       struct kw_error *err);

/* Tells everybody who still waits for a turn that it will not come. */
void kw_core_window_give_up(struct kw_receipt_window *window);

void kw_core_gap_fire(struct kw_timer *timer);

/* --- core_standing.c --- */
void kw_core_standing_open(struct kw_core_link *link);
void kw_core_standing_drop(struct kw_core_link *link);
void kw_core_standing_retry(struct kw_timer *timer);
void kw_core_standing_ack(struct kw_flush *flush);

/* --- core_anew.c --- */

/* Connection or chain have changed: is there need of another life? */
void kw_core_anew_watch(struct kw_core_link *link);

void kw_core_anew_fire(struct kw_timer *timer);

/* --- core_owed.c --- */
void kw_core_owed_fire(struct kw_timer *timer);

/* Gives up what is not being stored just now. */
void kw_core_owed_drop(struct kw_core_link *link);

/* Tells `closed` when everything of the link is over. */
void kw_core_link_finish(struct kw_core_link *link);

/* Connection or chain have changed: says so to other threads. */
void kw_core_link_publish(struct kw_core_link *link);

#endif
