/* Merge rules: what a field of a record does when two cells say different things.
 *
 * Each is a join of a semilattice: commutative, associative, idempotent. So is a record, being the
 * product of its fields, and cells that heard the same changes in any order, any number of times,
 * hold the same bytes.
 *
 * The rule travels with the field. A cell of the previous release therefore merges a field it has
 * never heard of as one that knows it does: unknown fields are not merely kept, they stay right.
 * For that a field never changes its rule, and all rules that we can think of are here from the
 * first version on, used or not: a new one could be used only when every cell knows it.
 */
#ifndef KW_COMMON_SYNC_RULE_H
#define KW_COMMON_SYNC_RULE_H

#include "common/base/arena.h"

/* The numbers are those of the encoding. Values are never empty but for OR and ERASABLE, and have
 * one encoding each, so that equal states are equal bytes. */
enum kw_rule {
    KW_RULE_ONCE = 1,    /* never changes; of two, which is a fault, the lower bytes stay */
    KW_RULE_ERASABLE,    /* the same, until it is erased, for good: empty */
    KW_RULE_OR,          /* true (empty) where present, and never again false */
    KW_RULE_MAX,         /* u64, not 0: the highest */
    KW_RULE_FIRST,       /* first.h: the earliest; set, it is never unset */
    KW_RULE_VECTOR,      /* version_vector.h: the highest of each store */
    KW_RULE_LWW,         /* lww.h: the latest */
    KW_RULE_SET,         /* grow_set.h: all */
    KW_RULE_RIVALS,      /* the same, but more than one is a finding (multi-value register) */
    KW_RULE_SUSPENSIONS, /* suspension_set.h: all, lifted where either says so */
    KW_RULE_END_,
};

/* "lww"; "unknown" for a number that is no rule. Never NULL. */
const char *kw_rule_name(enum kw_rule rule);

/* Is it a rule, and this a value of it? */
bool kw_rule_valid(enum kw_rule rule, struct kw_bytes value);

/* Joins two valid values. `ret_value` borrows from either, or is in the arena. Fails: MEMORY. */
struct kw_result kw_rule_join(enum kw_rule rule, struct kw_bytes a, struct kw_bytes b,
                              struct kw_arena *arena, struct kw_bytes *ret_value,
                              struct kw_error *err);

/* Does it lose something, or show a fault, to join `theirs` with `ours`: an edit overwritten
 * unread, two values of what has one? News only: false when `ours` tells as much. */
bool kw_rule_conflict(enum kw_rule rule, struct kw_bytes ours, struct kw_bytes theirs);

#endif
