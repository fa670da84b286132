/* One chunk of BatchGetDeviceAccess: up to 256 questions, decided together, answered as they come.
 *
 *     start ─▶ look up ─▶ decide ─┬─ refused items ─▶ answered at once
 *                                 └─ groups: same grant, same operation ─▶ one inner call each
 *                                        ▲                  │
 *                                        └── next grant ◀───┴─▶ still allowed? ─▶ answered
 */
#ifndef KW_SERVICES_AUTHZ_CHUNK_H
#define KW_SERVICES_AUTHZ_CHUNK_H

#include "services/authz/access_item.h"
#include "services/authz/call.h"

struct kw_chunk_item {
    struct kw_access_item access;
    const Keyward__V1__BatchAccessItem *asked;
    enum kw_reason reason; /* refused: why */
    uint32_t retry_ms;     /* refused, and how long that lasts; 0: unknown */
    bool dropped;          /* refused when it was asked again, and not yet recorded */
    bool grouped;          /* in a group that is under way, or answered */
};

struct kw_chunk_group;

/* Made by kw_chunk_new; it frees itself after `done`. Loop thread. */
struct kw_chunk {
    struct kw_chunk *next; /* of its stream */
    struct kw_authz_call *call;
    struct kw_arena *arena;
    struct kw_bytes body;
    struct kw_caller caller; /* as admitted for this chunk; borrows the call's key */
    struct kw_store_job job;
    uint64_t now_ms;
    uint64_t epoch;
    uint64_t decided_ns;
    struct kw_chunk_item *items;
    size_t count;
    size_t answered;
    struct kw_chunk_group *groups; /* under way */
    bool cancelled;
    struct kw_error error; /* reason KW_E_NONE: every item was answered */
    /* Some answers, packed. */
    void (*answer)(struct kw_chunk *chunk, struct kw_bytes response);
    /* The chunk is over; see `error`. */
    void (*done)(struct kw_chunk *chunk);
};

/* A copy of the message waits in it. Fails: MEMORY. */
struct kw_result kw_chunk_new(struct kw_authz_call *call, struct kw_bytes message,
                              struct kw_chunk **ret_chunk, struct kw_error *err);

/* Begins; `done` comes once, never within this. Fails: as kw_store_read; then `done` will not come.
 */
struct kw_result kw_chunk_start(struct kw_chunk *chunk, struct kw_error *err);

/* Gives it up: `done` comes when what is under way is back, perhaps at once. */
void kw_chunk_cancel(struct kw_chunk *chunk);

/* One that was never started, or after `done`. */
void kw_chunk_free(struct kw_chunk *chunk);

#endif
