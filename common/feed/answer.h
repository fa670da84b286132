/* Answers: what a store hands over outside of lanes, to one that asked. Record `KWD1`
 * (docs/formats.md).
 *
 *     snapshot   everything, in runs: lanes' heads ─ what waits ─ the rows of each table, by key
 *     repair     rows of one table, by key
 *     lanes      how far each lane is held, and up to where it was deleted
 *     digests    of a node of the tree of digests (digest_node.h); of a bucket its rows'
 *     chains     of the log that the store's owner keeps beside its rows, and how far they go (log_copy.h)
 *     segment    what follows in one of them
 *
 * No lane's signature covers such a row, so the store that hands it over signs for it: it is a member,
 * and the answer is to this question, for it has the nonce the asker drew. A relay can alter nothing,
 * cut nothing off, and serve nothing a second time.
 *
 * Pure.
 */
#ifndef KW_COMMON_FEED_ANSWER_H
#define KW_COMMON_FEED_ANSWER_H

#include "common/base/arena.h"
#include "common/base/limits.h"
#include "common/crypto/sign.h"
#include "common/feed/lane_head.h"
#include "common/feed/waiting.h"

enum kw_ask_purpose {
    KW_ASK_SNAPSHOT = 1,
    KW_ASK_REPAIR,
    KW_ASK_LANES, /* from: lanes. Items: struct kw_answer_lane */
    KW_ASK_DIGESTS, /* from: rows; the key is the name of a node, or empty: roots of this table and those after it */
    KW_ASK_CHAINS,  /* from: lanes, under the key of log_copy.h. Items: struct kw_log_chain */
    KW_ASK_SEGMENT, /* the same. One item, or none: there is no more of it now */
};

/* In this order. What waits comes before rows, since it leaves for them and never comes back; lanes
 * come before everything, since what follows may say more than they do, and never less. */
enum kw_answer_section {
    KW_SECTION_LANES = 1, /* items: KWL1; key: lane id */
    KW_SECTION_QUARANTINE, /* items: lane id ‖ seq u64 ‖ chain 32 ‖ KWM1; key: the first three */
    KW_SECTION_HELD,       /* the same */
    KW_SECTION_ROWS,       /* items: KWM1 of `table`; key: its key */
    KW_SECTION_END,
};

/* Just after the item with this key; key empty: at the beginning. `table` is 0 but among rows. */
struct kw_answer_place {
    enum kw_answer_section section;
    uint16_t table;
    struct kw_bytes key;
};

/* How far a lane is held, as an item: floor u64 ‖ KWL1. That there is so much of it its own store has signed; what
 * is kept of it is the word of who answers. Plain data; borrows. */
struct kw_answer_lane {
    uint64_t floor; /* changes up to it are not kept */
    struct kw_lane_head head;
};

/* A question to one store. Plain data; `from.key` borrows. */
struct kw_ask {
    enum kw_ask_purpose purpose;
    struct kw_id store;
    struct kw_id nonce;
    struct kw_answer_place from; /* a repair: rows, of one table, without a key */
};

/* Plain data; everything borrows. */
struct kw_answer {
    struct kw_id mesh;
    struct kw_ask to; /* the question; its store is who answers */
    struct kw_answer_place
        next; /* from where to ask on; a repair, a segment, digests and chains when that was all: as asked */
    uint8_t reach[KW_SHA256_LEN]; /* kw_feed_reach of who answers, when it did */
    const struct kw_bytes *items;
    size_t count;
    struct kw_bytes key; /* as in a lane head */
    struct kw_bytes signature;
};

/* Signs, over "KEYWARD-ANSWER-v1" ‖ all fields before the signature, and appends the record. `key` and
 * `signature` are not read. Fails: ARGUMENT_INVALID (what a reader would refuse), CRYPTO, MEMORY. */
struct kw_result kw_answer_sign(const struct kw_answer *answer, const struct kw_private_key *key,
                                struct kw_buf *out, struct kw_error *err);

/* Reads a record strictly; verifies nothing. `ret_answer` borrows from `record` and the arena. Fails:
 * ENCODING_INVALID (also: longer than KW_ANSWER_LEN_MAX, too many items, an empty or too long one, a row
 * of another table, a next place that is not further), MEMORY. */
struct kw_result kw_answer_decode(struct kw_bytes record, struct kw_arena *arena,
                                  struct kw_answer *ret_answer, struct kw_error *err);

/* Is the signature that of the key in it? As kw_lane_head_verify. */
struct kw_result kw_answer_verify(const struct kw_answer *answer, struct kw_error *err);

bool kw_answer_place_equal(const struct kw_answer_place *a, const struct kw_answer_place *b);

/* How far a lane is held, as an item; `head` is its KWL1. Fails: MEMORY; ENCODING_INVALID. */
struct kw_result kw_answer_lane_encode(uint64_t floor, struct kw_bytes head, struct kw_buf *out,
                                       struct kw_error *err);
struct kw_result kw_answer_lane_decode(struct kw_bytes item, struct kw_answer_lane *ret_lane,
                                       struct kw_error *err);

/* What waits, as an item. Fails: MEMORY; ENCODING_INVALID. */
struct kw_result kw_waiting_encode(const struct kw_waiting *waiting, struct kw_buf *out,
                                   struct kw_error *err);
struct kw_result kw_waiting_decode(struct kw_bytes item, struct kw_waiting *ret_waiting,
                                   struct kw_error *err);

#define KW_WAITING_KEY_LEN (KW_ID_LEN + 8U + KW_SHA256_LEN) /* of what waits: lane, number, chain */

#endif
