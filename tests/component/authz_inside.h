/* Plays the orchestrator for authz's tests: takes calls on a hop, verifies each capsule as the real
 * one does, keeps what it was told, answers with something of the right shape, and misbehaves as a
 * test says. */
#ifndef KW_TESTS_COMPONENT_AUTHZ_INSIDE_H
#define KW_TESTS_COMPONENT_AUTHZ_INSIDE_H

#include "common/audit/capsule_check.h"
#include "common/pki/build.h"
#include "common/rpc/hop.h"
#include "common/rpc/messages.h"

#include <keyward/internal/v1/context.pb-c.h>

#define INSIDE_CALLS_MAX    512
#define INSIDE_MESSAGES_MAX 16

/* Messages of evidence in one answer. */
#define INSIDE_EVIDENCE_COUNT 4

/* One call, as it came. Everything is in the fixture's arena. */
struct inside_call {
    struct inside *inside;
    struct kw_hop_call *hop; /* NULL: answered, or cancelled */
    bool cancelled;
    const struct kw_method *method;
    struct kw_bytes body;
    const ProtobufCMessage *request;
    const Keyward__Internal__V1__Authorization *authorization;
    struct kw_capsule capsule; /* verified */
    struct kw_hash root;       /* of the Merkle tree it was sealed in */
    uint32_t leaf_count;
    struct kw_bytes messages[INSIDE_MESSAGES_MAX];
    size_t message_count;
    Keyward__Internal__V1__Outcome outcome;
};

struct inside {
    struct kw_hop_server *server;
    int port;
    struct kw_arena *arena;
    const char *region;
    const char *cell;
    const struct kw_issuer *issuer; /* of certificates for members */
    struct kw_trust trust;
    struct kw_seal_verifier *seals;
    struct kw_replay *replay;
    struct inside_call *calls[INSIDE_CALLS_MAX];
    size_t count;
    struct kw_witness head; /* of its only chain; grows with each answer */

    bool holds;        /* calls wait for inside_answer */
    unsigned refusals; /* so many calls are refused with `refusal` */
    enum kw_reason refusal;
    struct kw_id odd_device; /* its item has `odd_reason` in a batch */
    enum kw_reason odd_reason;
    bool forgets_the_last; /* the last item of a batch gets no result */
    enum kw_role role;     /* of the certificate Enroll makes */
    const struct kw_id
        *stranger;            /* Enroll and Renew certify this one instead; NULL: the right one */
    struct kw_bytes disabled; /* the fact that key methods made; empty: none */
    size_t chunk_len;         /* bytes that each chunk of CreateBatch is filled up with */
    bool hides_receipts;      /* answers say nothing of them */
    bool claims_replay;       /* answers say that they were made before */
    bool activates_none;      /* a release finds nothing to activate */
    void (*spoil)(struct inside_call *call); /* changes the next answer; NULL: not */
    uint32_t batch_count;                    /* pens in a batch that is released; 0: 600 */
};

/* Listens, for `authz` (a SPIFFE id) alone. `inside` has arena, region, cell, issuer. */
void inside_start(struct inside *inside, struct kw_rpc *rpc, const char *credentials_dir,
                  struct kw_bytes ca_pem);
void inside_done(struct inside *inside);

/* Answers a call that was held. */
void inside_answer(struct inside_call *call);
void inside_refuse(struct inside_call *call, enum kw_reason reason);

static inline struct inside_call *inside_last(const struct inside *inside)
{
    return inside->count > 0 ? inside->calls[inside->count - 1] : NULL;
}

#endif
