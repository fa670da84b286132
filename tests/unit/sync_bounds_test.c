/* Bounded maps and sets: with room for two of four, joining is lawful still, and so is not what
 * looks as good, to keep those that came first. */
#include "common/sync/grow_set.h"
#include "common/sync/order.h"
#include "common/sync/packed.h"
#include "tests/support/merge_values.h"
#include "tests/support/must.h"

enum {
    ROOM = 2,
    LETTERS = 4,
    VALUES_MAX = 64
};

static bool mark_valid(const uint8_t *tail)
{
    return *tail > 0;
}

static void mark_join(uint8_t *tail, const uint8_t *other)
{
    *tail |= *other;
}

static const struct kw_packed_shape shape = {.entry_len = KW_ID_LEN + 1,
                                             .count_max = ROOM,
                                             .tail_valid = mark_valid,
                                             .tail_join = mark_join};

struct domain {
    size_t count;
    struct kw_bytes values[VALUES_MAX];
    struct kw_bytes (*join)(struct kw_bytes a, struct kw_bytes b);
};

/* Violations of the three laws, over all pairs and triples. */
static size_t count_violations(const struct domain *domain)
{
    struct kw_bytes (*join)(struct kw_bytes a, struct kw_bytes b) = domain->join;
    size_t violations = 0;

    for (size_t i = 0; i < domain->count; i++) {
        struct kw_bytes a = domain->values[i];

        violations += !kw_bytes_equal(join(a, a), a);
        for (size_t j = 0; j < domain->count; j++) {
            struct kw_bytes b = domain->values[j];

            violations += !kw_bytes_equal(join(a, b), join(b, a));
            for (size_t k = 0; k < domain->count; k++) {
                struct kw_bytes c = domain->values[k];

                violations += !kw_bytes_equal(join(join(a, b), c), join(a, join(b, c)));
            }
        }
    }
    return violations;
}

/* --- sets --- */

static struct kw_bytes join_sets(struct kw_bytes a, struct kw_bytes b)
{
    struct kw_bytes joined;

    MUST(kw_set_join(a, b, ROOM, values_arena(), &joined, err));
    return joined;
}

/* The mistake: who is full takes nothing more. */
static struct kw_bytes first_come(struct kw_bytes a, struct kw_bytes b)
{
    return kw_set_count(a) == ROOM ? a : join_sets(a, b);
}

static struct domain all_sets(struct kw_bytes (*join)(struct kw_bytes a, struct kw_bytes b))
{
    struct domain domain = {.join = join};

    for (unsigned subset = 0; subset < 1U << LETTERS; subset++) {
        struct kw_buf buf = {0};
        struct kw_writer w = KW_WRITER(&buf);

        for (unsigned i = 0; i < LETTERS; i++) {
            if ((subset & (1U << i)) != 0) {
                kw_put_set_element(&w, KW_BYTES(&"wxyz"[i], 1));
            }
        }
        if (__builtin_popcount(subset) <= ROOM) {
            domain.values[domain.count++] = value_keep(&buf);
        }
        kw_buf_done(&buf);
    }
    return domain;
}

Test(bounds, a_full_set_keeps_the_lowest_in_whatever_order_they_come)
{
    struct domain domain = all_sets(join_sets);

    cr_assert_eq(domain.count, 11);
    cr_assert_eq(count_violations(&domain), 0);
    domain.join = first_come;
    cr_assert_gt(count_violations(&domain), 0);
}

Test(bounds, a_set_has_no_more_than_there_is_room_for)
{
    struct kw_bytes joined = join_sets(value_set("xz"), value_set("wy"));

    cr_assert(kw_bytes_equal(joined, value_set("wx")));
}

/* --- maps --- */

static struct kw_bytes join_maps(struct kw_bytes a, struct kw_bytes b)
{
    struct kw_bytes joined;

    MUST(kw_packed_join(&shape, a, b, values_arena(), &joined, err));
    return joined;
}

static struct kw_bytes newest_out(struct kw_bytes a, struct kw_bytes b)
{
    return kw_packed_full(&shape, a) ? a : join_maps(a, b);
}

/* Three ids, each absent or with marks 1, 2 or both; at most two at once. */
static struct domain all_maps(void)
{
    struct domain domain = {.join = join_maps};

    for (unsigned n = 0; n < 64; n++) {
        struct kw_buf buf = {0};
        struct kw_writer w = KW_WRITER(&buf);

        for (unsigned i = 0; i < 3; i++) {
            struct kw_id id = {{(uint8_t)(i + 1)}};
            uint8_t marks = (n >> (2 * i)) & 3;

            if (marks > 0) {
                kw_put_raw(&w, kw_id_bytes(&id));
                kw_put_u8(&w, marks);
            }
        }
        if (buf.len <= ROOM * shape.entry_len) {
            domain.values[domain.count++] = value_keep(&buf);
        }
        kw_buf_done(&buf);
    }
    return domain;
}

Test(bounds, a_full_map_keeps_the_lowest_and_all_that_was_said_of_them)
{
    struct domain domain = all_maps();

    cr_assert_eq(domain.count, 37);
    cr_assert_eq(count_violations(&domain), 0);
    domain.join = newest_out;
    cr_assert_gt(count_violations(&domain), 0);
}

Test(bounds, a_map_has_no_more_than_there_is_room_for)
{
    struct domain domain = all_maps();

    for (size_t i = 0; i < domain.count; i++) {
        for (size_t j = 0; j < domain.count; j++) {
            struct kw_bytes joined = join_maps(domain.values[i], domain.values[j]);

            cr_assert(joined.len == 0 || kw_packed_valid(&shape, joined));
        }
    }
}
