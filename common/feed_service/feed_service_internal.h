/* Inside the feed service: its parts, shared by feed_service.c (life, listener), subscription.c with look.c (the
 * standing call), reading.c, applying.c, acks.c, neighbours.c, questions.c (the others), errands.c with lacks.c,
 * comparing.c, joining.c and keeping.c (what we ask other cells), scrubbing.c, showing.c, second_copy.c (who waits for
 * others), introduction.c (who we are) and upkeep.c (what time does). Loop thread, but for the `run` of tasks. */
#ifndef KW_COMMON_FEED_SERVICE_FEED_SERVICE_INTERNAL_H
#define KW_COMMON_FEED_SERVICE_FEED_SERVICE_INTERNAL_H

#include "common/base/arena.h"
#include "common/base/limits.h"
#include "common/crypto/sign.h"
#include "common/feed/copies.h"
#include "common/feed_service/errands.h"
#include "common/feed_service/feed_service.h"
#include "common/feed_service/keeping.h"
#include "common/feed_service/scrubbing.h"
#include "common/feed_service/showing.h"

#include <stdatomic.h>

/* What `promised_ms` is when it is no time. */
#define KW_PROMISED_UNKNOWN   0U         /* not looked at yet, or not to be looked at */
#define KW_PROMISED_BY_NOBODY UINT64_MAX /* there is no other region */

struct kw_feed_subscription;
struct kw_feed_reading;
struct kw_feed_applying;
struct kw_feed_acking;

/* A job of ours at the store: the service outlives it. */
struct kw_feed_task {
    struct kw_store_job job;
    struct kw_feed_service *service;
    void (*done)(struct kw_feed_task *task); /* as the job's; may free the task */
};

/* A list in order. */
#define KW_FEED_QUEUE(type)                                                                        \
    struct {                                                                                       \
        struct type *first;                                                                        \
        struct type **end;                                                                         \
    }

#define KW_FEED_QUEUE_INIT(queue) ((queue)->first = NULL, (queue)->end = &(queue)->first)
#define KW_FEED_QUEUE_PUSH(queue, item)                                                            \
    ((item)->next = NULL, *(queue)->end = (item), (queue)->end = &(item)->next)
#define KW_FEED_QUEUE_POP(queue)                                                                   \
    ((queue)->end = (queue)->first->next == NULL ? &(queue)->first : (queue)->end,                 \
     (queue)->first = (queue)->first->next)

struct kw_feed_service {
    struct kw_feed_service_options options;
    struct kw_hop_server *server;

    /* From the store's writer: a lane has grown. */
    struct kw_commit_hook grown;
    struct kw_mail grown_mail;
    atomic_bool grown_posted;

    struct kw_feed_subscription *subscription; /* NULL: nobody listens */

    KW_FEED_QUEUE(kw_feed_reading) readings; /* that wait for memory */
    size_t readings_running;

    KW_FEED_QUEUE(kw_feed_applying) applyings; /* whole, and waiting for the store */
    KW_FEED_QUEUE(kw_feed_applying) urgents;   /* the same of what disables, ahead of the others */
    size_t applyings_running;
    size_t urgents_running;
    size_t applyings_len; /* bytes of all records that came and are not judged */

    KW_FEED_QUEUE(kw_feed_acking) ackings;
    struct kw_flush ack_flush;
    bool acks_running;

    struct kw_buf voucher;   /* empty: there is none yet */
    uint64_t voucher_issue;  /* counts them */
    struct kw_id introduced; /* the life that it is of */
    bool introducing;        /* in a job */
    bool introduction_owed;  /* which failed, or our voucher does not say all that we are */
    bool unvouched;          /* as the job that sealed last has seen it */
    struct kw_buf
        noted_pem; /* the certificate that is vouched with, and the CAs that are believed */
    uint64_t credentials_looked_ns;

    struct kw_copies copies;     /* of our lane, elsewhere */
    struct kw_timer copies_tick; /* while somebody waits for one */
    bool hurries;                /* nobody waits long any more */
    bool members_read;           /* who is to have them, and has, is being read anew */
    uint64_t members_looked_ns;  /* when that began last */

    struct kw_timer beat; /* while somebody listens */
    struct kw_feed_task seal;
    bool sealing;
    struct kw_timer upkeep; /* while there is something to look after, and now and then */
    size_t chores;          /* that are being done */
    bool trims; /* somebody has acknowledged something since nothing was left to be deleted */
    uint64_t trims_from_ns;      /* and nothing is deleted before */
    uint64_t holdings_looked_ns; /* when we last said what we hold, or had nothing to say */
    bool holdings_owed;          /* somebody may wait to hear it */
    /* Wall: up to then all that other regions said is known; or one of KW_PROMISED_… */
    _Atomic uint64_t promised_ms;
    uint64_t held; /* changes that wait for our clock, as known last */

    struct kw_feed_neighbours neighbours;
    struct kw_feed_questions questions;
    struct kw_feed_errands errands;
    struct kw_feed_keeping keeping;
    struct kw_feed_task errand; /* its job */
    struct kw_feed_scrubbing scrubbing;
    struct kw_feed_task scrub;
    struct kw_feed_showing showing;
    struct kw_feed_task show;
    atomic_bool joining;

    uint64_t log_second; /* so that nobody fills the log */
    unsigned logged;

    size_t tasks;
    size_t timers_open;
    bool draining;
    bool closing;
    bool finished;
    void (*closed)(void *context);
    void *closed_context;
};

/* --- feed_service.c --- */

/* Hands a task in; its `job.run` and `done` are set. Fails: as kw_store_write, kw_store_read. */
struct kw_result kw_feed_task_write(struct kw_feed_service *service, struct kw_feed_task *task,
                                    struct kw_error *err);
struct kw_result kw_feed_task_read(struct kw_feed_service *service, struct kw_feed_task *task,
                                   struct kw_error *err);

/* Ends a call with this error, or with success. Counts it; logs errors, not too many. */
void kw_feed_call_fail(struct kw_feed_service *service, struct kw_hop_call *hop,
                       const struct kw_error *error);
void kw_feed_call_succeed(struct kw_hop_call *hop);

/* Logs, KW_FEED_LOGS_PER_S lines a second at most. */
void kw_feed_service_log(struct kw_feed_service *service, const char *what,
                         const struct kw_error *error);

/* Tells `closed` when everything is over. */
void kw_feed_service_finish(struct kw_feed_service *service);

/* --- subscription.c --- */
void kw_feed_subscription_open(struct kw_feed_service *service, struct kw_hop_call *hop,
                               const struct kw_hop_open *open);

/* There is something to tell: a lane grew, or our voucher is another. */
void kw_feed_subscription_nudge(struct kw_feed_service *service);

/* There is a question for the replicator. */
void kw_feed_subscription_ask(struct kw_feed_service *service);

/* Ends it with this reason, if there is one. */
void kw_feed_subscription_end(struct kw_feed_service *service, enum kw_reason reason);

/* --- reading.c, applying.c, acks.c --- */
void kw_feed_reading_open(struct kw_feed_service *service, struct kw_hop_call *hop,
                          const struct kw_hop_open *open);
void kw_feed_replying_open(struct kw_feed_service *service, struct kw_hop_call *hop,
                           const struct kw_hop_open *open);
void kw_feed_applying_open(struct kw_feed_service *service, struct kw_hop_call *hop,
                           const struct kw_hop_open *open);
void kw_feed_acking_open(struct kw_feed_service *service, struct kw_hop_call *hop,
                         const struct kw_hop_open *open);
void kw_feed_acks_flush(struct kw_flush *flush);

/* --- second_copy.c --- */

/* Tells the owner that others hold more, or may be others. */
void kw_feed_held(struct kw_feed_service *service);

/* Reads anew who the members are. */
void kw_feed_copies_look(struct kw_feed_service *service);
void kw_feed_copies_tick(struct kw_timer *timer);

/* --- upkeep.c --- */

/* Somebody listens, or there is something to look after. */
void kw_feed_upkeep_wake(struct kw_feed_service *service);

/* Something that disables came of this store, and is in force here. Who is linked with us is told so, others hear it in
 * our lane: with the next heartbeat, since they may wait for it. */
void kw_feed_upkeep_heard(struct kw_feed_service *service, struct kw_id store);
void kw_feed_upkeep_beat(struct kw_timer *timer);
void kw_feed_upkeep_fire(struct kw_timer *timer);

#endif
