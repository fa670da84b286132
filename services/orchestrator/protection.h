/* Protect before release: a key that was made here is stated to be protected when what was said of it is durable in
 * another cell, and in another region where the mesh has one. Before that it is *generated* (docs/key-states.md):
 * nothing is delivered or released.
 *
 *     CreateBatch   the core makes key and fact ─ key said, fact put aside ─ wait, a second at most ─┬▶ stated, delivered
 *                                                                                                  └▶ KEY_UNPROTECTED
 *     later         others hold more of our lane ─ stated; asked again, CreateBatch delivers
 *
 * Who is asked is who is a member by the table of stores, never who can be reached; a cell that is alone in its mesh
 * asks nobody, and states the fact with the key. */
#ifndef KW_SERVICES_ORCHESTRATOR_PROTECTION_H
#define KW_SERVICES_ORCHESTRATOR_PROTECTION_H

#include "common/feed/feed.h"
#include "services/orchestrator/protection_table.h"

struct kw_orch;

/* What the last look found. Plain data. */
struct kw_protection_found {
    uint64_t waiting; /* keys */
    uint64_t since_ms;
    bool more; /* than one job states */
};

/* Of an orchestrator. Zeroed at first. Loop thread, but for `found` in the job. */
struct kw_protection {
    struct kw_store_job job;
    bool runs;
    bool again; /* something may be otherwise since it began */
    uint64_t looked_ns;
    struct kw_protection_found found; /* what was made since counts in `waiting`, too */
};

/* Is anybody else to have what is made here? Read or write job. Fails: as the store, MEMORY, INTERNAL. */
struct kw_result kw_protection_asks(const struct kw_orch *orch, struct kw_tx *tx,
                                    struct kw_arena *arena, bool *ret_asks, struct kw_error *err);

/* These are owed; all that belongs to them is said. Fails: as the store. */
struct kw_result kw_protection_owe(const struct kw_feed_tx *feed_tx, struct kw_protection_row *rows,
                                   size_t count, struct kw_error *err);

/* States what is protected by now, of each lane a chunk of keys at most. Write job. Fails: as the store, MEMORY,
 * INTERNAL. */
struct kw_result kw_protection_state(const struct kw_orch *orch, const struct kw_feed_tx *feed_tx,
                                     struct kw_protection_found *ret_found, struct kw_error *err);

/* That many more were made. Loop thread, as the next: others may hold more, or be others; or it is time. */
void kw_protection_made(struct kw_orch *orch, uint64_t count);
void kw_protection_look(struct kw_orch *orch);

#endif
