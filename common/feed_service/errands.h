/* Errands: what our feed asks the owners of other cells for, one question after the other, whenever nothing
 * else is under way.
 *
 *     look      how far does each neighbour hold each lane?          lacks.c
 *     compare   does one of them hold other rows? Which?             comparing.c
 *       repair  these rows, from it                                  comparing.c
 *     join      everything, from one of them                         joining.c
 *     keep      copies of their logs                                 keeping.c
 *
 *     begin ─▶ ask ─▶ an answer: a job of the store looks at it ─▶ done ─▶ ask … end
 *                └──▶ none ─▶ refused          └──▶ it fails ─▶ refused
 *
 * Whoever is asked may answer without end: each errand counts its answers, or has a time.
 *
 * Loop thread, but for `run`.
 */
#ifndef KW_COMMON_FEED_SERVICE_ERRANDS_H
#define KW_COMMON_FEED_SERVICE_ERRANDS_H

#include "common/feed/feed_compare.h"
#include "common/feed/feed_lacks.h"
#include "common/feed_service/donors.h"
#include "common/feed_service/neighbours.h"
#include "common/feed_service/questions.h"

/* When the next round begins, in paces (kw_feed_service_options.pace_ms): soon, after a link came or where
 * something differs; else later. */
enum {
    KW_ERRAND_SOON = 1,
    KW_ERRAND_STUCK = 2, /* a lane stands still so long: no matter of time any more */
    KW_ERRAND_LATER = 15,
    KW_ERRAND_APART = 150, /* what differs while lanes do, too, is asked for so often */
};

/* What one kind of errand does. */
struct kw_feed_errand {
    bool writes; /* its job does */
    /* In a job: looks at the answer, which is well-formed. Sets errands.verdict. */
    struct kw_result (*run)(struct kw_feed_service *service, struct kw_tx *tx,
                            struct kw_arena *arena, const struct kw_answer *answer,
                            struct kw_error *err);
    void (*done)(struct kw_feed_service *service); /* the answer was good */
    void (*refused)(struct kw_feed_service *service, enum kw_feed_answered how);
    /* Something failed here. NULL: the round ends, and the next is later. */
    void (*failed)(struct kw_feed_service *service);
};

/* A lane that others hold further. What was said of it in this round: */
struct kw_feed_behind {
    struct kw_id lane;
    uint64_t seq; /* how far it is here */
    uint64_t since_ns;
    bool alone;   /* nobody but its store ever said so */
    bool deleted; /* what comes next is deleted, says somebody else than its store */
    bool own;     /* its store says so */
    bool there;   /* somebody has it */
    bool unheard; /* kw_lane_lack */
};

/* What a neighbour could give by a snapshot. */
enum kw_feed_offer {
    KW_FEED_OFFER_NONE,
    KW_FEED_OFFER_OWN, /* of its own lanes alone */
    KW_FEED_OFFER_ALL,
};

struct kw_feed_errands {
    const struct kw_feed_errand *now; /* NULL: none */
    struct kw_ask ask;                /* what was asked last */
    struct kw_buf key;                /* its place's */
    bool at_store;
    enum kw_answer_verdict verdict;
    struct kw_arena *arena; /* of the job, until `done` returns */
    struct kw_answer answer;

    struct kw_feed_neighbours round; /* whom it asks, one after the other */
    size_t at;
    uint64_t due_ns; /* when the next round begins */

    /* lacks.c */
    struct kw_lane_lack *lacks;
    size_t lack_count;
    unsigned answers; /* of the present one */
    size_t answered;  /* so many have told it all */
    enum kw_feed_offer offers[KW_PEERS_MAX];
    bool late;            /* one of them said nothing */
    unsigned rounds_late; /* how often that was so, one after the other */
    struct kw_feed_behind behind[KW_FEED_BEHIND_MAX];
    size_t behind_count;

    /* comparing.c */
    size_t compared; /* with whom last */
    struct kw_feed_differences found;
    struct kw_digest_node nodes[KW_DIGEST_NODES_MAX]; /* to be looked into */
    size_t node_count;
    struct kw_buf rest; /* of a bucket, behind which more rows follow; empty: none */
    uint16_t rest_table;
    unsigned steps;
    uint64_t until_ns;     /* when it ends, wherever it is */
    bool apart_too;        /* also where lanes are apart */
    unsigned apart;        /* how often they were, one after the other */
    uint64_t apart_due_ns; /* when one is compared all the same */
    bool repaired;

    /* joining.c */
    struct kw_id donor; /* to begin with; none: as it is */
    bool again;         /* kw_feed_join_again */
    bool joins;
    bool may_end; /* it may be given up */
    bool joined;
    struct kw_feed_donors donors;
    uint64_t joined_ns; /* or given up */
    unsigned pauses;    /* how often the pause before the next join has doubled */
};

/* Now and then: is something due? */
void kw_feed_errands_tend(struct kw_feed_service *service);

/* Neighbours have come or gone, or damage was found: soon, then. */
void kw_feed_errands_hurry(struct kw_feed_service *service);

/* What became of the question. */
void kw_feed_errands_answered(struct kw_feed_service *service, enum kw_feed_answered how);

void kw_feed_errands_free(struct kw_feed_errands *errands);

/* --- for errands --- */

/* Asks this store, under a new nonce. `place` and `keys` are copied. On failure the errand has failed. */
void kw_feed_errand_ask(struct kw_feed_service *service, struct kw_id store,
                        enum kw_ask_purpose purpose, const struct kw_answer_place *place,
                        const struct kw_bytes *keys, size_t key_count);

/* Asks what is in errands.ask already. */
void kw_feed_errand_ask_so(struct kw_feed_service *service, const struct kw_bytes *keys,
                           size_t key_count);

/* Keeps a question of a job for later: errands.ask. Fails: MEMORY. */
struct kw_result kw_feed_errand_keep(struct kw_feed_errands *errands, const struct kw_ask *ask,
                                     struct kw_error *err);

/* Nothing more to be asked; the next round is in so many paces. */
void kw_feed_errand_end(struct kw_feed_service *service, unsigned paces);

/* When that is. */
uint64_t kw_feed_errand_time(const struct kw_feed_service *service, unsigned paces);

/* The errands' beginnings. */
void kw_feed_lacks_begin(struct kw_feed_service *service);
void kw_feed_comparing_begin(struct kw_feed_service *service);

/* Joins by `donor`; none: goes on. `again`: as kw_feed_join_again. */
void kw_feed_joining_begin(struct kw_feed_service *service, struct kw_id donor, bool again);

#endif
