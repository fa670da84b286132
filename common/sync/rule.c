/* The table of rules. */
#include "common/sync/rule.h"

#include "common/base/limits.h"
#include "common/sync/first.h"
#include "common/sync/grow_set.h"
#include "common/sync/lww.h"
#include "common/sync/order.h"
#include "common/sync/suspension_set.h"
#include "common/sync/version_vector.h"

#define U64_LEN 8

struct rule_row {
    const char *name;
    bool (*valid)(struct kw_bytes value);
    /* Either one of both is the join, or a new value is made. */
    struct kw_bytes (*choose)(struct kw_bytes a, struct kw_bytes b);
    struct kw_result (*make)(struct kw_bytes a, struct kw_bytes b, struct kw_arena *arena,
                             struct kw_bytes *ret_value, struct kw_error *err);
    bool (*conflict)(struct kw_bytes ours, struct kw_bytes theirs); /* of different values */
};

/* --- valid --- */

static bool something(struct kw_bytes value)
{
    return value.len > 0;
}

static bool anything(struct kw_bytes value)
{
    (void)value;
    return true;
}

static bool nothing(struct kw_bytes value)
{
    return value.len == 0;
}

static bool number(struct kw_bytes value)
{
    struct kw_reader r = KW_READER(value);

    return kw_get_u64(&r) > 0 && value.len == U64_LEN;
}

static bool dated(struct kw_bytes value)
{
    struct kw_first first;

    return kw_first_read(value, &first);
}

static bool lww(struct kw_bytes value)
{
    struct kw_lww parts;

    return kw_lww_read(value, &parts);
}

static bool set(struct kw_bytes value)
{
    return kw_set_valid(value, KW_SET_ELEMENTS_MAX);
}

/* --- join --- */

static struct kw_result set_join(struct kw_bytes a, struct kw_bytes b, struct kw_arena *arena,
                                 struct kw_bytes *ret_value, struct kw_error *err)
{
    return kw_set_join(a, b, KW_SET_ELEMENTS_MAX, arena, ret_value, err);
}

/* --- conflict --- */

static bool always(struct kw_bytes ours, struct kw_bytes theirs)
{
    (void)ours;
    (void)theirs;
    return true;
}

static bool neither_erased(struct kw_bytes ours, struct kw_bytes theirs)
{
    return ours.len > 0 && theirs.len > 0;
}

/* Have they an element that we don't? Different sets have two elements between them. */
static bool rival(struct kw_bytes ours, struct kw_bytes theirs)
{
    struct kw_bytes element;

    while (kw_set_next(&theirs, &element)) {
        if (!kw_set_has(ours, element)) {
            return true;
        }
    }
    return false;
}

static const struct rule_row rules[KW_RULE_END_] = {
    [KW_RULE_ONCE] = {"once", something, kw_bytes_lower, NULL, always},
    [KW_RULE_ERASABLE] = {"erasable", anything, kw_bytes_lower, NULL, neither_erased},
    [KW_RULE_OR] = {"or", nothing, kw_bytes_lower, NULL, NULL},
    [KW_RULE_MAX] = {"max", number, kw_bytes_higher, NULL, NULL},
    [KW_RULE_FIRST] = {"first", dated, kw_bytes_lower, NULL, NULL},
    [KW_RULE_VECTOR] = {"vector", kw_vector_valid, NULL, kw_vector_join, NULL},
    [KW_RULE_LWW] = {"lww", lww, kw_lww_join, NULL, kw_lww_concurrent},
    [KW_RULE_SET] = {"set", set, NULL, set_join, NULL},
    [KW_RULE_RIVALS] = {"rivals", set, NULL, set_join, rival},
    [KW_RULE_SUSPENSIONS] = {"suspensions", kw_suspensions_valid, NULL, kw_suspensions_join, NULL},
};

/* The rule's row, or NULL. Read from outside, so the number may be anything. */
static const struct rule_row *rule_row(enum kw_rule rule)
{
    if ((unsigned)rule >= KW_RULE_END_ || rules[rule].name == NULL) {
        return NULL;
    }
    return &rules[rule];
}

const char *kw_rule_name(enum kw_rule rule)
{
    const struct rule_row *row = rule_row(rule);

    return row != NULL ? row->name : "unknown";
}

bool kw_rule_valid(enum kw_rule rule, struct kw_bytes value)
{
    const struct rule_row *row = rule_row(rule);

    return row != NULL && value.len <= KW_RECORD_VALUE_LEN_MAX && row->valid(value);
}

struct kw_result kw_rule_join(enum kw_rule rule, struct kw_bytes a, struct kw_bytes b,
                              struct kw_arena *arena, struct kw_bytes *ret_value,
                              struct kw_error *err)
{
    const struct rule_row *row = rule_row(rule);

    KW_ENSURE(row != NULL, err, ARGUMENT_INVALID, "merge rule %d", (int)rule);
    if (row->make != NULL) {
        return row->make(a, b, arena, ret_value, err);
    }
    *ret_value = row->choose(a, b);
    return KW_OK;
}

bool kw_rule_conflict(enum kw_rule rule, struct kw_bytes ours, struct kw_bytes theirs)
{
    const struct rule_row *row = rule_row(rule);

    return row != NULL && row->conflict != NULL && !kw_bytes_equal(ours, theirs) &&
           row->conflict(ours, theirs);
}
