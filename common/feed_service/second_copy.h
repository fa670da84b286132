/* A call's second copy: what its write job said is on this disk alone until another cell has it. The answer
 * waits for that, KW_SECOND_COPY_MS, and says so if it was in vain (common/feed/copies.h). Who called may ask for
 * more, and wait longer.
 *
 *     in the write job    kw_second_copy_begin ─ what it does ─ kw_second_copy_note
 *     once it is durable  kw_second_copy_await ─▶ answer, at once or by `done`
 */
#ifndef KW_COMMON_FEED_SERVICE_SECOND_COPY_H
#define KW_COMMON_FEED_SERVICE_SECOND_COPY_H

#include "common/feed/copies.h"
#include "common/feed_service/feed_service.h"

/* One for each call, zeroed. */
struct kw_second_copy {
    struct kw_copy_wait wait;
    enum kw_copy_level asked; /* beyond CELL, if it is */
    uint64_t until_ns;        /* then: how long to wait for it, by the monotonic clock */
    uint64_t before;          /* changes said, when the job began */
    bool owed;    /* the last write job said something, for which nobody has waited yet */
    bool said;    /* a wait is over: the rest is known */
    bool missing; /* there is none, so far */
    enum kw_copy_level reached; /* LOCAL, CELL, REGION or ALL: the least of all that was said */
    struct kw_feed_service *service;
    void (*done)(struct kw_second_copy *copy);
};

/* First in a write job. It may run again. */
void kw_second_copy_begin(struct kw_second_copy *copy, const struct kw_feed *feed);

/* Last in it: did it say something, and up to where? Fails: as the store. */
struct kw_result kw_second_copy_note(struct kw_second_copy *copy, const struct kw_feed_tx *feed_tx,
                                     struct kw_error *err);

/* Loop thread, when the job is done. True: `done` comes, with the wait of `copy`, which stays until then;
 * `copy->missing` is known then. False: there is nothing to wait for, or it is known already. `service`
 * NULL: nobody else is told of anything, so nobody is waited for. */
bool kw_second_copy_await(struct kw_second_copy *copy, struct kw_feed_service *service,
                          void (*done)(struct kw_second_copy *copy));

/* Nobody is interested any more: a wait is over now, `done` comes within. Harmless when there is none. */
void kw_second_copy_give_up(struct kw_second_copy *copy);

#endif
