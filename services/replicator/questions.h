/* Questions of owners on their way: ours to a peer's, a peer's to ours, and what is answered. Nobody here
 * understands them.
 *
 *     our owner ──question──▶ asked[peer] ──QUESTION──▶ peer        one at a time, of each owner and peer
 *               ◀─FEED_ANSWERED, pieces──── ◀──ANSWER──
 *     peer ──QUESTION──▶ answering[peer] ──FEED_ASK──▶ our owner    likewise
 *          ◀──ANSWER────                 ◀──pieces────
 *
 * A peer that speaks no version with questions is not asked. What is lost is asked again, by whoever asked. Each answer costs
 * our owner's store, so there are so many a second; one question that is beyond them waits for the next second. Loop
 * thread.
 */
#ifndef KW_SERVICES_REPLICATOR_QUESTIONS_H
#define KW_SERVICES_REPLICATOR_QUESTIONS_H

#include "services/replicator/owner.h"

struct kw_replicator_service;

/* Of one peer and one kind of owner. */
struct kw_question_slot {
    uint64_t asked;     /* our owner's question; 0: none */
    uint32_t parts;     /* of its answer that came */
    size_t len;         /* … bytes */
    bool answering;     /* a question of the peer's owner, by ours */
    uint64_t second_ns; /* since when these are counted */
    unsigned answered;
    bool waits; /* one, for the next second */
    uint64_t waiting_number;
    struct kw_buf waiting; /* KWJ1 */
};

struct kw_questions {
    struct kw_question_slot slots[KW_PEERS_MAX][KW_OWNER_COUNT_];
    uint64_t links[KW_PEERS_MAX]; /* counts their lives */
    /* Whom our owners were told of last. */
    struct kw_id told[KW_OWNER_COUNT_][KW_PEERS_MAX];
    bool told_at_all[KW_OWNER_COUNT_];
};

/* Has it changed whom our owners may ask? Is it another second? With each tick. */
void kw_questions_tick(struct kw_replicator_service *service);

/* The owner has to be told anew. With `begun` it has a new life, and forgot what it asked. */
void kw_questions_owner(struct kw_replicator_service *service, enum kw_owner owner, bool begun);

/* Our owner asks. */
void kw_questions_ask(struct kw_replicator_service *service, enum kw_owner owner,
                      const struct kw_owner_question *question);

/* A peer asks, or answers: QUESTION, ANSWER. */
void kw_questions_frame(struct kw_replicator_service *service, uint32_t peer,
                        const struct kw_frame *frame);

/* Our owner answers. */
void kw_questions_replied(struct kw_replicator_service *service, enum kw_owner owner,
                          const struct kw_owner_asked *asked, struct kw_bytes piece, bool more);

/* There is no link with that peer any more. */
void kw_questions_down(struct kw_replicator_service *service, uint32_t peer);

void kw_questions_done(struct kw_replicator_service *service);

#endif
