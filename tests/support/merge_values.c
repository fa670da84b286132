/* Values of each merge rule. */
#include "tests/support/merge_values.h"

#include "common/sync/first.h"
#include "common/sync/grow_set.h"
#include "common/sync/lww.h"
#include "common/sync/suspension_set.h"
#include "common/sync/version_vector.h"
#include "tests/support/must.h"

#define VALUES_MAX (64U * 1024U * 1024U)

const struct kw_id store_a = {{0xa}};
const struct kw_id store_b = {{0xb}};

static struct kw_arena *arena;

/* Known to the leak checker as long as the process lives. */
struct kw_arena *values_arena(void)
{
    if (arena == NULL) {
        arena = kw_arena_new(VALUES_MAX);
        REQUIRE(arena != NULL, "no memory");
    }
    return arena;
}

struct kw_bytes value_keep(struct kw_buf *buf)
{
    struct kw_bytes copy;

    MUST(kw_arena_copy(values_arena(), kw_buf_bytes(buf), &copy, err));
    kw_buf_done(buf);
    return copy;
}

struct kw_bytes value_text(const char *text)
{
    return kw_bytes_str(text);
}

struct kw_bytes value_u64(uint64_t n)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_put_u64(&w, n);
    return value_keep(&buf);
}

struct kw_bytes value_first(uint64_t time_ms, struct kw_id store, const char *detail)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_put_first(
        &w, &(struct kw_first){.time_ms = time_ms, .store = store, .detail = kw_bytes_str(detail)});
    return value_keep(&buf);
}

struct kw_bytes value_lww(uint64_t hlc, struct kw_id store, const char *value)
{
    return value_lww_after_b(hlc, store, 0, value);
}

struct kw_bytes value_lww_after_b(uint64_t hlc, struct kw_id store, uint64_t seen_b,
                                  const char *value)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_put_lww(&w, &(struct kw_lww){.stamp = {.hlc = hlc, .store = store},
                                    .seen = value_vector(0, seen_b),
                                    .value = kw_bytes_str(value)});
    return value_keep(&buf);
}

struct kw_bytes value_vector(uint64_t a, uint64_t b)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    if (a > 0) {
        kw_put_vector_entry(&w, store_a, a);
    }
    if (b > 0) {
        kw_put_vector_entry(&w, store_b, b);
    }
    return value_keep(&buf);
}

struct kw_bytes value_suspensions(unsigned first, unsigned second)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    if (first > 0) {
        kw_put_suspension(&w, (struct kw_id){{1}}, first);
    }
    if (second > 0) {
        kw_put_suspension(&w, (struct kw_id){{2}}, second);
    }
    return value_keep(&buf);
}

struct kw_bytes value_set(const char *elements)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    for (const char *element = elements; *element != '\0'; element++) {
        kw_put_set_element(&w, KW_BYTES(element, 1));
    }
    return value_keep(&buf);
}
