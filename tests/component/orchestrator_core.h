/* Plays the crypto core for the orchestrator's tests: takes calls on a hop, answers with material
 * that looks right (nothing here encrypts), chains receipts, and misbehaves as a test says. */
#ifndef KW_TESTS_COMPONENT_ORCHESTRATOR_CORE_H
#define KW_TESTS_COMPONENT_ORCHESTRATOR_CORE_H

#include "common/audit/chain.h"
#include "common/pki/build.h"
#include "common/rpc/hop.h"

#include <keyward/internal/v1/core.pb-c.h>

/* What the next answer does wrong. */
enum core_fault {
    CORE_RIGHT,
    CORE_REFUSES,      /* each item has the reason `refusal` */
    CORE_FAILS,        /* STATUS `refusal`, no receipt */
    CORE_SKIPS_A_SEQ,  /* the receipt before this one never comes */
    CORE_LATE_RECEIPT, /* the receipt before this one comes later: core_send_late */
    CORE_WRONG_PREV,   /* the receipt names another head */
    CORE_NO_RECEIPT,   /* the answer has none */
    CORE_SWAPS_DEVICE, /* the envelope is for another device */
    CORE_SILENT,       /* takes the call and says nothing */
};

struct core_peer {
    struct kw_hop_server *server;
    int port;
    struct kw_id boot_id;
    struct kw_id stream; /* the orchestrator's */
    struct kw_chain chain;
    const struct kw_issuer *issuer; /* signs certificates of members */
    const char *region;
    const char *cell;
    struct kw_hop_call *standing;
    struct kw_buf late; /* the receipt that was kept back */
    struct kw_buf last; /* the newest one that an answer had */
    uint64_t acked;

    enum core_fault fault; /* of the next answer; then CORE_RIGHT again */
    enum kw_reason refusal;
    void (*spoil)(Keyward__Internal__V1__CoreReply *reply); /* the next answer; NULL: not */
    unsigned calls;
    size_t last_keys; /* in the last question */
    size_t last_new_keys;
};

/* Listens; the orchestrator may connect. `rpc` has `boot_id`. */
void core_peer_start(struct core_peer *core, struct kw_rpc *rpc, const char *credentials_dir,
                     const char *trust_domain, const char *orchestrator);

/* On the standing call: a receipt; the one that CORE_LATE_RECEIPT kept back. */
void core_send_receipt(struct core_peer *core, struct kw_bytes record);
void core_send_late(struct core_peer *core);

/* A checkpoint of the chain as it is, or of another head; any record as one. */
void core_send_checkpoint(struct core_peer *core, bool right);
void core_send_checkpoint_record(struct core_peer *core, struct kw_bytes record);

void core_peer_done(struct core_peer *core);

#endif
