/* Nodes of feed_fixture.h that join by a snapshot, compare their rows, and mend them, for tests. */
#ifndef KW_TESTS_SUPPORT_FEED_JOIN_FIXTURE_H
#define KW_TESTS_SUPPORT_FEED_JOIN_FIXTURE_H

#include "common/feed/answer_check.h"
#include "common/feed/feed_digests.h"
#include "common/feed/feed_scrub.h"
#include "tests/support/feed_fixture.h"

/* --- joining --- */

void feed_join(struct feed_node *node, const struct feed_node *donor);

/* What it would ask now; a node that is not joining fails the test. */
struct kw_ask feed_ask(struct feed_node *node);
bool feed_is_joining(struct feed_node *node);

/* What the donor answers: KWD1, until the test ends. */
struct kw_bytes feed_answer(struct feed_node *donor, const struct kw_ask *ask);
struct kw_result feed_try_answer(struct feed_node *donor, const struct kw_ask *ask,
                                 struct kw_error *err);

struct kw_answer feed_answer_read(struct kw_bytes record);
enum kw_answer_verdict feed_take(struct feed_node *node, struct kw_bytes record);
struct kw_result feed_try_take(struct feed_node *node, struct kw_bytes record,
                               struct kw_error *err);

/* One question and its answer. False: that was the last one. */
bool feed_join_step(struct feed_node *node, struct feed_node *donor);

/* All of them; how many. */
unsigned feed_join_all(struct feed_node *node, struct feed_node *donor);

/* --- comparing --- */

struct feed_difference {
    size_t nodes; /* of the trees, compared */
    size_t buckets;
    size_t count;
    struct kw_bytes keys[64]; /* of rows that the peer has otherwise, or we have not */
};

/* From the root down. */
struct feed_difference feed_compare(struct feed_node *node, struct feed_node *peer, uint16_t table);
void feed_root(struct feed_node *node, uint16_t table, uint8_t ret_root[KW_SHA256_LEN]);
void feed_reach(struct feed_node *node, uint8_t ret_reach[KW_SHA256_LEN]);

/* --- mending --- */

struct kw_ask feed_ask_rows(const struct feed_node *peer, uint16_t table);
struct kw_bytes feed_rows(struct feed_node *peer, const struct kw_ask *ask,
                          const struct kw_bytes *keys, size_t count);
enum kw_answer_verdict feed_repair(struct feed_node *node, const struct kw_ask *ask,
                                   struct kw_bytes record, size_t *ret_repaired);

/* Compares, and asks the peer for what differs. How many rows were repaired. */
size_t feed_heal(struct feed_node *node, struct feed_node *peer, uint16_t table);

/* A whole scrub, by whose findings buckets are marked. How many findings; `first` may be NULL. */
unsigned feed_scrub(struct feed_node *node, struct kw_scrub *first);

#endif
