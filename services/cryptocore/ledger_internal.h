/* What the files of the ledger share. Not for others. */
#ifndef KW_SERVICES_CRYPTOCORE_LEDGER_INTERNAL_H
#define KW_SERVICES_CRYPTOCORE_LEDGER_INTERNAL_H

#include "common/audit/chain.h"
#include "common/base/container.h"
#include "common/rpc/messages.h"
#include "keyward/internal/v1/core.pb-c.h"
#include "services/cryptocore/ledger.h"

/* Times and heads of the last receipts, by seq: more than the lag that is ever looked at. */
#define KW_LEDGER_TIMES (KW_WITNESS_LAG_RECEIPTS_MAX + 24)

struct kw_ledger_entry {
    struct kw_ledger_entry *next;
    uint64_t seq;
    uint64_t sent_ns;
    struct kw_buf record;
};

struct kw_ledger_chain {
    struct kw_ledger_chain *next;
    struct kw_ledger *ledger;
    struct kw_chain chain;
    struct kw_ledger_entry *unacked; /* oldest first */
    struct kw_ledger_entry **unacked_tail;
    size_t unacked_count;
    uint64_t issued_ns[KW_LEDGER_TIMES];
    struct kw_hash heads[KW_LEDGER_TIMES];
    uint64_t witnessed;           /* the highest number that authz was ever known to have stored */
    size_t calls;                 /* admitted, and not over */
    uint64_t active_ns;           /* when the orchestrator was last seen here */
    struct kw_hop_call *standing; /* NULL while the orchestrator has none open */
    /* the checkpoint being signed, and the last one done */
    struct kw_hsm_call hsm_call;
    struct kw_checkpoint checkpoint;
    bool signing;
    uint64_t checkpoint_seq;
    uint64_t checkpoint_ns;
};

struct kw_ledger {
    struct kw_ledger_chain *chains;
    size_t chain_count;
    struct kw_buf retired;     /* ids of streams that had receipts and left, one after the other */
    uint64_t unwitnessed_gone; /* receipts of theirs that authz never had */
    struct kw_id boot_id;
    struct kw_hsm_pool *hsm;
    struct kw_timer timer;
    bool closing;
    void (*closed)(void *context);
    void *closed_context;
};

/* ledger_chains.c. `get` begins the chain of a new stream, for which that of one which has left may
 * go. Fails: LIMIT_REACHED (no chain can go), PEER_UNAVAILABLE (the stream's own chain went),
 * MEMORY. */
struct kw_ledger_chain *kw_ledger_find(struct kw_ledger *ledger, struct kw_id stream);
bool kw_ledger_is_retired(const struct kw_ledger *ledger, struct kw_id stream);
struct kw_result kw_ledger_get(struct kw_ledger *ledger, struct kw_id stream,
                               struct kw_ledger_chain **ret_chain, struct kw_error *err);
void kw_ledger_chain_free(struct kw_ledger_chain *chain);

/* All up to `seq` are durable outside. */
void kw_ledger_acknowledge(struct kw_ledger_chain *chain, uint64_t seq);
void kw_ledger_resend_old(struct kw_ledger_chain *chain);

/* Sends a notice on the standing call. False: none is open, or it has no credit. */
bool kw_ledger_notify(struct kw_ledger_chain *chain,
                      const Keyward__Internal__V1__CheckpointNotice *notice);

/* Ends the standing call, if there is one. */
void kw_ledger_dismiss(struct kw_ledger_chain *chain);

/* Signs a checkpoint when one is due and none is being signed. */
void kw_ledger_checkpoint_if_due(struct kw_ledger_chain *chain);

#endif
