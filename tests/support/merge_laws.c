/* The check: all states of the domain, a table of all merges of two, and from then on look-ups. */
#include "tests/support/merge_laws.h"

#include "common/sync/order.h"
#include "tests/support/merge_order.h"
#include "tests/support/must.h"
#include "tests/support/note.h"

#include <stdlib.h>

#define ARENA_MAX (64U * 1024U * 1024U)
#define OUTSIDE   UINT16_MAX

/* One run. */
struct check {
    const struct laws *laws;
    laws_merge *merge;
    struct laws_report report;
    struct kw_record *states;
    struct kw_bytes *encoded; /* of each state, ascending */
    uint16_t *merged;         /* of two states, which one */
    bool *within;
    bool *dead;
    bool *usable;
    size_t count;
};

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    REQUIRE(memory != NULL, "no memory");
    return memory;
}

/* --- the domain --- */

struct laws laws_new(const struct kw_record_kind *kind)
{
    return (struct laws){.kind = kind};
}

void laws_unknown(struct laws *laws, uint8_t field, enum kw_rule rule,
                  const struct kw_bytes *values, size_t count)
{
    struct laws_axis *axis = &laws->axes[laws->axis_count++];

    REQUIRE(laws->axis_count <= LAWS_AXES_MAX && count <= LAWS_VALUES_MAX, "too large");
    REQUIRE(laws->axis_count == 1 || axis[-1].field < field, "field %u: out of order", field);
    *axis = (struct laws_axis){.field = field, .rule = rule, .count = count};
    for (size_t i = 0; i < count; i++) {
        REQUIRE(kw_rule_valid(rule, values[i]), "field %u: value %zu is none", field, i);
        axis->values[i] = values[i];
    }
}

void laws_axis(struct laws *laws, uint8_t field, const struct kw_bytes *values, size_t count)
{
    const struct kw_field_kind *known = kw_record_kind_field(laws->kind, field);

    REQUIRE(known != NULL, "%s has no field %u", laws->kind->name, field);
    laws_unknown(laws, field, known->rule, values, count);
}

/* The state with number `n`: a digit for each axis, 0 where the field is absent. */
static struct kw_record state_of(const struct laws *laws, size_t n)
{
    struct kw_record record = {.table = laws->kind->table, .key = kw_bytes_str("key")};

    for (size_t i = 0; i < laws->axis_count; i++) {
        const struct laws_axis *axis = &laws->axes[i];
        size_t digit = n % (axis->count + 1);

        n /= axis->count + 1;
        if (digit > 0) {
            record.fields[record.count++] = (struct kw_record_field){
                .number = axis->field, .rule = axis->rule, .value = axis->values[digit - 1]};
        }
    }
    return record;
}

static struct kw_bytes encode(const struct kw_record *record, struct kw_arena *arena)
{
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    struct kw_bytes copy;

    MUST(kw_record_encode(record, &buf, err));
    MUST(kw_arena_copy(arena, kw_buf_bytes(&buf), &copy, err));
    return copy;
}

static int by_encoding(const void *a, const void *b)
{
    return kw_bytes_order(*(const struct kw_bytes *)a, *(const struct kw_bytes *)b);
}

/* States are numbered by their encodings, which are read back: what is checked is what travels. */
static void fill_states(struct check *check, struct kw_arena *arena)
{
    check->count = 1;
    for (size_t i = 0; i < check->laws->axis_count; i++) {
        check->count *= check->laws->axes[i].count + 1;
    }
    REQUIRE(check->count <= LAWS_STATES_MAX, "%zu states", check->count);
    check->states = zeroed(check->count, sizeof(*check->states));
    check->encoded = zeroed(check->count, sizeof(*check->encoded));
    for (size_t i = 0; i < check->count; i++) {
        struct kw_record state = state_of(check->laws, i);

        check->encoded[i] = encode(&state, arena);
    }
    qsort(check->encoded, check->count, sizeof(*check->encoded), by_encoding);
    for (size_t i = 0; i < check->count; i++) {
        MUST(kw_record_decode(check->laws->kind, check->encoded[i], &check->states[i], err));
    }
    check->report.states = check->count;
}

static uint16_t number_of(const struct check *check, struct kw_bytes encoded)
{
    const struct kw_bytes *found =
        bsearch(&encoded, check->encoded, check->count, sizeof(*check->encoded), by_encoding);

    return found != NULL ? (uint16_t)(found - check->encoded) : OUTSIDE;
}

/* --- pairs --- */

static uint16_t merge_pair(const struct check *check, laws_merge *merge, const struct kw_record *a,
                           const struct kw_record *b, struct kw_arena *arena)
{
    struct kw_record merged;

    if (!kw_ok(merge(a, b, arena, &merged, NULL))) {
        return OUTSIDE;
    }
    return number_of(check, encode(&merged, arena));
}

/* What a release makes of it that knows the table and none of its fields. */
static uint16_t merge_unknown(const struct check *check, size_t a, size_t b, struct kw_arena *arena)
{
    struct kw_record_kind old = {.table = check->laws->kind->table, .name = "an older release"};
    struct kw_record old_a;
    struct kw_record old_b;

    MUST(kw_record_decode(&old, check->encoded[a], &old_a, err));
    MUST(kw_record_decode(&old, check->encoded[b], &old_b, err));
    return merge_pair(check, check->laws->older != NULL ? check->laws->older : check->merge, &old_a,
                      &old_b, arena);
}

static uint16_t *merged_at(const struct check *check, size_t a, size_t b)
{
    return &check->merged[a * check->count + b];
}

static bool within(const struct check *check, size_t a, size_t b)
{
    return check->within[a * check->count + b];
}

static void fill_row(struct check *check, size_t a)
{
    struct kw_arena *arena = kw_arena_new(ARENA_MAX);

    REQUIRE(arena != NULL, "no memory");
    for (size_t b = 0; b < check->count; b++) {
        const struct kw_record *ours = &check->states[a];
        const struct kw_record *theirs = &check->states[b];
        uint16_t merged = merge_pair(check, check->merge, ours, theirs, arena);
        uint16_t again = merge_pair(check, check->merge, ours, theirs, arena);

        *merged_at(check, a, b) = merged;
        check->within[a * check->count + b] = record_within(ours, theirs);
        check->report.impure += merged != again;
        check->report.open += merged == OUTSIDE;
        check->report.unknown += merged != merge_unknown(check, a, b, arena);
        check->report.pairs++;
    }
    kw_arena_free(arena);
}

static void fill_tables(struct check *check)
{
    check->merged = zeroed(check->count * check->count, sizeof(*check->merged));
    check->within = zeroed(check->count * check->count, sizeof(*check->within));
    check->dead = zeroed(check->count, sizeof(*check->dead));
    check->usable = zeroed(check->count, sizeof(*check->usable));
    for (size_t a = 0; a < check->count; a++) {
        const struct laws *laws = check->laws;

        check->dead[a] = laws->dead != NULL && laws->dead(&check->states[a]);
        check->usable[a] = laws->usable != NULL ? laws->usable(&check->states[a]) : !check->dead[a];
        fill_row(check, a);
    }
}

static void check_pair(struct check *check, size_t a, size_t b)
{
    uint16_t merged = *merged_at(check, a, b);
    struct laws_report *report = &check->report;

    report->commutative += merged != *merged_at(check, b, a);
    report->idempotent += a == b && merged != a;
    report->monotone += merged == OUTSIDE || !within(check, a, merged) || !within(check, b, merged);
    report->absorbing += check->dead[a] && (merged == OUTSIDE || !check->dead[merged]);
}

/* --- triples --- */

/* a ⊔ b, where a may be nothing of the domain: then so is the join. */
static uint16_t join(const struct check *check, uint16_t a, uint16_t b)
{
    return a == OUTSIDE || b == OUTSIDE ? OUTSIDE : *merged_at(check, a, b);
}

static void check_triples(struct check *check, uint16_t a, uint16_t b)
{
    uint16_t ab = join(check, a, b);
    struct laws_report *report = &check->report;

    for (uint16_t c = 0; c < check->count; c++) {
        uint16_t left = join(check, ab, c);
        uint16_t right = join(check, a, join(check, b, c));

        report->associative += left != right;
        report->least +=
            ab != OUTSIDE && within(check, a, c) && within(check, b, c) && !within(check, ab, c);
        report->resurrection += left != OUTSIDE && check->dead[a] && check->usable[left];
        report->triples++;
    }
}

/* --- the whole --- */

static void print(const struct check *check)
{
    const struct laws_report *r = &check->report;

    test_note(
        "%s: %zu states, %zu pairs, %zu triples; violations: impure %zu, open %zu, "
        "commutative %zu, associative %zu, idempotent %zu, monotone %zu, least %zu, absorbing "
        "%zu, resurrection %zu, unknown %zu",
        check->laws->kind->name, r->states, r->pairs, r->triples, r->impure, r->open,
        r->commutative, r->associative, r->idempotent, r->monotone, r->least, r->absorbing,
        r->resurrection, r->unknown);
}

static void check_done(struct check *check)
{
    free(check->states);
    free(check->encoded);
    free(check->merged);
    free(check->within);
    free(check->dead);
    free(check->usable);
}

struct laws_report laws_check(const struct laws *laws, laws_merge *merge)
{
    struct check check = {.laws = laws, .merge = merge};
    struct kw_arena *arena = kw_arena_new(ARENA_MAX);

    REQUIRE(arena != NULL, "no memory");
    fill_states(&check, arena);
    fill_tables(&check);
    for (uint16_t a = 0; a < check.count; a++) {
        for (uint16_t b = 0; b < check.count; b++) {
            check_pair(&check, a, b);
            check_triples(&check, a, b);
        }
    }
    print(&check);
    check_done(&check);
    kw_arena_free(arena);
    return check.report;
}

struct kw_result laws_product(const struct kw_record *ours, const struct kw_record *theirs,
                              struct kw_arena *arena, struct kw_record *ret_record,
                              struct kw_error *err)
{
    return kw_record_merge(ours, theirs, arena, NULL, ret_record, err);
}

void laws_hold(const struct laws *laws)
{
    struct laws_report report = laws_check(laws, laws_product);

    cr_assert(report.states > 1 && report.triples == report.states * report.pairs);
    cr_expect_eq(report.impure, 0);
    cr_expect_eq(report.open, 0);
    cr_expect_eq(report.commutative, 0);
    cr_expect_eq(report.associative, 0);
    cr_expect_eq(report.idempotent, 0);
    cr_expect_eq(report.monotone, 0);
    cr_expect_eq(report.least, 0);
    cr_expect_eq(report.absorbing, 0);
    cr_expect_eq(report.resurrection, 0);
    cr_expect_eq(report.unknown, 0);
}
