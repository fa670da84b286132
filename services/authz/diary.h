/* The diary: what authz writes down without anybody waiting for it. Denials, the witnessed receipt
 * head and used quotas are collected for a moment and then written in one transaction.
 *
 *     deny, witness, quotas ──▶ waiting ──(KW_DIARY_DELAY_MS)──▶ one write job ──▶ the store
 */
#ifndef KW_SERVICES_AUTHZ_DIARY_H
#define KW_SERVICES_AUTHZ_DIARY_H

#include "services/authz/denial_rate.h"
#include "services/authz/quota_book.h"
#include "services/authz/witness_table.h"

/* Chains whose heads may move between two pages: more cores than that are not replaced within
 * KW_DIARY_DELAY_MS. */
#define KW_DIARY_HEADS_MAX           16
#define KW_DIARY_HEADS_UNWRITTEN_MAX (2 * KW_DIARY_HEADS_MAX)

/* What one write job carries; the store's thread has it while it runs. */
struct kw_diary_page {
    struct kw_denial *denials;
    size_t denial_count;
    struct kw_witness heads[KW_DIARY_HEADS_MAX];
    size_t head_count;
    struct kw_quota quotas[KW_DIARY_QUOTAS_MAX];
    size_t quota_count;
    uint64_t now_ms;
};

/* Loop thread. Zero-initialise; start with kw_diary_start. */
struct kw_diary {
    struct kw_loop *loop;
    struct kw_store *store;
    struct kw_feed *feed;
    struct kw_id boot;
    struct kw_timer timer;
    bool armed;
    struct kw_store_job job;
    bool writing;
    bool failure_noted;
    bool page_full; /* the page has not been written yet */
    bool held_back; /* denials wait for room on the disk */
    struct kw_diary_page page;
    struct kw_denial *waiting;
    size_t waiting_count;
    uint64_t seq; /* of the last denial */
    struct kw_denial_rate *rate;
    struct kw_witness witness;                   /* the newest head, of whatever chain */
    struct kw_witness heads[KW_DIARY_HEADS_MAX]; /* the newest of each chain, not yet on a page */
    size_t head_count;
    struct kw_quota_book quotas;
    void (*idle)(void *context); /* set by kw_diary_finish */
    void *context;
};

/* `store`, `feed` and `loop` outlive it; the witness and the quotas are those that were stored. Fails:
 * MEMORY. */
struct kw_result kw_diary_start(struct kw_diary *diary, struct kw_loop *loop,
                                struct kw_store *store, struct kw_feed *feed, struct kw_id boot,
                                struct kw_error *err);

/* Records a denial; its number is given here. Never fails: what can't be kept is counted in the
 * metrics and logged. */
void kw_diary_deny(struct kw_diary *diary, const struct kw_denial *denial);

/* The chain's head moved: what capsules say from now on. An older head of the same chain changes
 * nothing. */
void kw_diary_witness(struct kw_diary *diary, const struct kw_witness *witness);

/* Heads that the store may not have yet, at most KW_DIARY_HEADS_UNWRITTEN_MAX; how many. */
size_t kw_diary_unwritten_heads(const struct kw_diary *diary, struct kw_witness *ret_heads);

/* A quota changed. */
void kw_diary_quotas_changed(struct kw_diary *diary);

/* Writes everything that is left, then `idle`. Nothing may be added afterwards. */
void kw_diary_finish(struct kw_diary *diary, void (*idle)(void *context), void *context);

/* After that, or one that never started: frees; the loop still turns once for its timer. */
void kw_diary_done(struct kw_diary *diary);

#endif
