/* An intent, made field by field: what an owner has to say of one row.
 *
 *     struct kw_intent intent = kw_intent(&kw_device_record, kw_id_bytes(&row->id), arena);
 *
 *     kw_intent_id(&intent, KW_DEVICE_FIELD_BATCH, &row->batch);
 *     kw_intent_u32(&intent, KW_DEVICE_FIELD_POSITION, row->position);
 *     return kw_intent_say(&intent, feed_tx, NULL, err);
 *
 * Remembers the first failure ("sticky"), so that it reads as a list of its fields and is checked
 * once, at the end.
 */
#ifndef KW_COMMON_FEED_INTENT_H
#define KW_COMMON_FEED_INTENT_H

#include "common/base/codec.h"
#include "common/feed/feed.h"

/* Borrows the key and what bytes it is given; what it makes is in the arena. */
struct kw_intent {
    struct kw_record record;
    const struct kw_record_kind *kind;
    struct kw_arena *arena;
    struct kw_result result; /* the first failure */
    struct kw_error error;
};

struct kw_intent kw_intent(const struct kw_record_kind *kind, struct kw_bytes key,
                           struct kw_arena *arena);

/* As it is. */
void kw_intent_bytes(struct kw_intent *intent, uint8_t field, struct kw_bytes value);
void kw_intent_id(struct kw_intent *intent, uint8_t field, const struct kw_id *value);

/* A number, big-endian. */
void kw_intent_u32(struct kw_intent *intent, uint8_t field, uint32_t value);
void kw_intent_u64(struct kw_intent *intent, uint8_t field, uint64_t value);

/* That it happens now, in our store: for a field that keeps the first. */
void kw_intent_first(struct kw_intent *intent, uint8_t field, const struct kw_feed *feed,
                     uint64_t time_ms, struct kw_bytes detail);

/* "" says nothing. */
void kw_intent_text(struct kw_intent *intent, uint8_t field, const char *text);

/* What was written to `w`. */
void kw_intent_written(struct kw_intent *intent, uint8_t field, const struct kw_writer *w);

/* What our store counts, of a vector; `store`: what it counts as. 0 says nothing. */
void kw_intent_count(struct kw_intent *intent, uint8_t field, struct kw_id store, uint64_t count);

/* One suspension, which is set. */
void kw_intent_suspension(struct kw_intent *intent, uint8_t field, struct kw_id suspension);

/* A set of one. */
void kw_intent_element(struct kw_intent *intent, uint8_t field, struct kw_bytes element);

/* kw_feed_change, unless something failed before. Fails also: ARGUMENT_INVALID (no field of the
 * kind, or no value of its rule), MEMORY. */
struct kw_result kw_intent_say(const struct kw_intent *intent, const struct kw_feed_tx *feed_tx,
                               struct kw_record *ret_merged, struct kw_error *err);

#endif
