/* A store that writes one lane, and another that hears of it, for tests: the owner's changes, signed
 * heads and batches as they travel, its row of `stores`, and what the receiver holds.
 *
 * Change n says "change n", at n × 10 by the hybrid clock, and is urgent if 4 divides n; a head at n
 * closes n × 10 + 5. Everything lives until the test ends. */
#ifndef KW_TESTS_SUPPORT_LANE_FIXTURE_H
#define KW_TESTS_SUPPORT_LANE_FIXTURE_H

#include "common/feed/lane_check.h"
#include "common/feed/question.h"
#include "tests/support/merge_values.h"

#define LANE_CHANGES_MAX 64

/* A copy is a store that remembers the same; what the two write afterwards is a fork. */
struct lane_owner {
    struct kw_lane lane;
    const struct kw_private_key *key;
    struct kw_lane_point points[LANE_CHANGES_MAX + 1]; /* [0] is the start */
    struct kw_change changes[LANE_CHANGES_MAX + 1];    /* by number */
    size_t count;
    struct kw_record row; /* active; this key, this incarnation */
};

/* Stores have a key each: 0, 1, …; lane_p384 is on another curve. */
const struct kw_private_key *lane_key(unsigned number);
const struct kw_private_key *lane_p384(void);

/* With `count` changes; another one, which signs with this key. */
struct lane_owner lane_owner_new(size_t count);
struct lane_owner lane_owner_of(struct kw_id store, unsigned key, size_t count);

/* Writes `count` more; their texts end with `mark`, so that forks differ. */
void lane_grow(struct lane_owner *owner, size_t count, const char *mark);

uint64_t lane_closed(size_t seq);

/* KWL1 at this number, closing `closed`. */
struct kw_bytes lane_head(const struct lane_owner *owner, size_t seq, uint64_t closed);

/* Changes after `from`, up to `to`; equal: a heartbeat. As bytes, and as who reads them has it. */
struct kw_bytes lane_batch_bytes(const struct lane_owner *owner, size_t from, size_t to);
struct kw_lane_batch lane_batch(const struct lane_owner *owner, size_t from, size_t to);
struct kw_lane_batch lane_batch_read(struct kw_bytes bytes);

/* Change `seq`, a fourth one, ahead of its lane. */
struct kw_bytes lane_urgent_bytes(const struct lane_owner *owner, size_t seq);
struct kw_urgent lane_urgent(const struct lane_owner *owner, size_t seq);

/* What is held by who has everything up to `seq`, of which older chains are not kept. */
struct kw_lane_held lane_held(const struct lane_owner *owner, size_t seq);

/* The row with one field set to something else. */
struct kw_record lane_row_with(const struct lane_owner *owner, enum kw_store_field field,
                               struct kw_bytes value);

/* The row of a store that was fenced, its lane honoured up to `seq`. */
struct kw_record lane_row_fenced(const struct lane_owner *owner, uint64_t seq);

/* An answer that leads on to where its question began. */
struct kw_answer lane_answer(struct kw_question question, const struct kw_bytes *items,
                             size_t count);

/* Why it can't be signed. One that can is read again, and verifies. */
enum kw_reason lane_answer_sign(const struct kw_answer *answer);

/* A grow-only set of one element. */
struct kw_bytes lane_set_of(struct kw_bytes element);

struct kw_bytes lane_signer(const struct kw_private_key *key);

#endif
