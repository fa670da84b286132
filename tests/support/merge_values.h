/* Values of each merge rule, for tests: stores A and B, suspensions 1 and 2, elements x, y and z.
 * Everything lives until the test ends. */
#ifndef KW_TESTS_SUPPORT_MERGE_VALUES_H
#define KW_TESTS_SUPPORT_MERGE_VALUES_H

#include "common/base/id.h"
#include "common/sync/record.h"

extern const struct kw_id store_a;
extern const struct kw_id store_b;

struct kw_arena *values_arena(void);

/* Copies what was written, and empties the buffer. */
struct kw_bytes value_keep(struct kw_buf *buf);

struct kw_bytes value_text(const char *text);
struct kw_bytes value_u64(uint64_t n);
struct kw_bytes value_first(uint64_t time_ms, struct kw_id store, const char *detail);
struct kw_bytes value_lww(uint64_t hlc, struct kw_id store, const char *value);

/* The same, by a writer that had seen B's value of `seen_b`. */
struct kw_bytes value_lww_after_b(uint64_t hlc, struct kw_id store, uint64_t seen_b,
                                  const char *value);

/* Counts of A and B; 0 has no entry. */
struct kw_bytes value_vector(uint64_t a, uint64_t b);

/* Marks of suspensions 1 and 2; 0 has no entry. */
struct kw_bytes value_suspensions(unsigned first, unsigned second);

/* The letters of `elements`, which are in order: each is an element. */
struct kw_bytes value_set(const char *elements);

#endif
