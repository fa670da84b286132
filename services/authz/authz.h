/* Authz: what all parts of this process share. Loop thread, but for what says otherwise. */
#ifndef KW_SERVICES_AUTHZ_AUTHZ_H
#define KW_SERVICES_AUTHZ_AUTHZ_H

#include "common/feed/feed.h"
#include "common/rpc/hop.h"
#include "services/authz/caller.h"
#include "services/authz/capsules.h"
#include "services/authz/config.h"
#include "services/authz/diary.h"

#include <stdatomic.h>

struct kw_authz {
    const struct kw_authz_config *config;
    struct kw_loop *loop;
    struct kw_id boot_id;
    uint64_t started_ms; /* wall */
    struct kw_store *store;
    struct kw_hop_client *inner; /* to the orchestrator; NULL once it is closed */
    struct kw_caller_cache *callers;
    struct kw_capsules capsules;
    struct kw_diary diary;
    struct kw_feed feed;                  /* the thread of write jobs' */
    struct kw_feed_service *feed_service; /* of the replicator; NULL: nothing is replicated */
    struct kw_secret page_key;            /* page tokens are ours alone, and of this life */
    /* Counts disabling changes that are in force, of this cell and of others: revocations, suspensions,
     * disabling facts. An answer whose decision is of an older epoch is decided again before it leaves. */
    _Atomic uint64_t epoch;
    struct kw_commit_hook disabled;    /* another cell's is durable here (feed_heard.h) */
    size_t calls;                      /* alive */
    void (*calls_gone)(void *context); /* set while stopping */
    void *context;
    void (*link_up)(struct kw_authz *authz); /* a stream where none was; may be NULL */
    atomic_bool linked;                      /* a stream to the orchestrator; read by /readyz */
    atomic_bool draining;                    /* likewise */
};

#endif
