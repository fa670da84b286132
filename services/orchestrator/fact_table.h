/* Table facts: immutable statements about keys, and their fold; what is on the feed (fact_feed.h), in
 * columns. All functions run on the store's threads. */
#ifndef KW_SERVICES_ORCHESTRATOR_FACT_TABLE_H
#define KW_SERVICES_ORCHESTRATOR_FACT_TABLE_H

#include "common/crypto/digest.h"
#include "common/lifecycle/state.h"
#include "common/store/row.h"

/* Everything borrowed is in the arena the row was read into, or belongs to whoever filled the
 * struct. */
struct kw_fact_row {
    struct kw_fact fact;       /* `record`, decoded */
    struct kw_bytes record;    /* KWF1 */
    struct kw_bytes mac;       /* empty for disabling facts */
    const char *justification; /* "" where nobody gives one */
};

/* A key's facts in the order they were stated, and what they add up to. */
struct kw_fact_list {
    struct kw_fact_row *rows;
    size_t count;
    struct kw_key_state state;
};

/* All facts of `key`. Fails: STORE_UNAVAILABLE, MEMORY; INTERNAL, also when what is stored is no
 * fact of this key. */
struct kw_result kw_fact_list(struct kw_tx *tx, struct kw_id key, struct kw_arena *arena,
                              struct kw_fact_list *ret_list, struct kw_error *err);

/* Writes the columns of one fact. */
struct kw_result kw_fact_put(struct kw_tx *tx, const struct kw_fact_row *row, struct kw_error *err);

/* The etag of a key: changes whenever a fact is added. Fails: CRYPTO, MEMORY. */
#define KW_ETAG_SIZE 33 /* hex of half a SHA-256, and NUL */
struct kw_result kw_fact_list_etag(const struct kw_fact_list *list, char ret_etag[KW_ETAG_SIZE],
                                   struct kw_error *err);

/* Where a walk over all facts in the order of their times stands. Zeroed: the beginning. */
struct kw_fact_cursor {
    uint64_t time_ms;
    struct kw_id key;
    uint32_t kind;
    struct kw_id suspension;
};

/* At most `max` facts behind the cursor and stated before `end_ms`; moves the cursor. A first step
 * starts at `cursor->time_ms`, inclusive, when the rest of it is zero. */
struct kw_result kw_fact_walk(struct kw_tx *tx, struct kw_fact_cursor *cursor, uint64_t end_ms,
                              size_t max, struct kw_arena *arena, struct kw_fact_row *rows,
                              size_t *ret_count, struct kw_error *err);

#endif
