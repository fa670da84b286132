/* The laws of merging, checked over every state, pair and triple of a finite domain. A merge is a
 * pure function, so what holds over all of them is proved for the domain, not sampled.
 *
 *     laws = laws_new(&kw_grant_record);
 *     LAWS_AXIS(laws, KW_GRANT_FIELD_REVOKED, value_first(1, store_a, "x"), …);
 *     report = laws_check(laws, kw_record_merge_only);
 *
 * The domain is the product of the axes: each field absent, or with one of its values. Each axis
 * holds the joins of its values, so the domain is closed. The same check is run over merges that
 * are wrong, each a mistake that people make; a law that no mistake breaks would prove nothing.
 */
#ifndef KW_TESTS_SUPPORT_MERGE_LAWS_H
#define KW_TESTS_SUPPORT_MERGE_LAWS_H

#include "tests/support/merge_values.h"

#define LAWS_AXES_MAX   8
#define LAWS_VALUES_MAX 16
#define LAWS_STATES_MAX 1024

/* A merge under test. */
typedef struct kw_result laws_merge(const struct kw_record *ours, const struct kw_record *theirs,
                                    struct kw_arena *arena, struct kw_record *ret_record,
                                    struct kw_error *err);

struct laws_axis {
    uint8_t field;
    enum kw_rule rule;
    size_t count;
    struct kw_bytes values[LAWS_VALUES_MAX];
};

struct laws {
    const struct kw_record_kind *kind;
    bool (*dead)(const struct kw_record *record);   /* over for good; NULL: nothing is */
    bool (*usable)(const struct kw_record *record); /* NULL: what is not dead */
    laws_merge *older; /* that of the release before; NULL: the same function */
    size_t axis_count;
    struct laws_axis axes[LAWS_AXES_MAX];
};

/* How much was looked at, and how often each law was broken. */
struct laws_report {
    size_t states;
    size_t pairs;
    size_t triples;
    size_t impure; /* merged again, it is something else, or it fails */
    size_t open;   /* it is nothing that the domain has */
    size_t commutative;
    size_t associative;
    size_t idempotent;
    size_t monotone;     /* it says less than one side */
    size_t least;        /* it says what neither side says */
    size_t absorbing;    /* one side was dead, and it is not */
    size_t resurrection; /* dead, merged with two others, it is usable */
    size_t unknown;      /* a release that knows none of the fields makes something else of it */
};

struct laws laws_new(const struct kw_record_kind *kind);

/* Axes are given in the order of their fields: of a field that the kind knows; of one that it does
 * not, which merges by `rule`. */
void laws_axis(struct laws *laws, uint8_t field, const struct kw_bytes *values, size_t count);
void laws_unknown(struct laws *laws, uint8_t field, enum kw_rule rule,
                  const struct kw_bytes *values, size_t count);

#define LAWS_LIST(...)                                                                             \
    (const struct kw_bytes[]){__VA_ARGS__},                                                        \
        sizeof((const struct kw_bytes[]){__VA_ARGS__}) / sizeof(struct kw_bytes)
#define LAWS_AXIS(laws, field, ...) laws_axis((laws), (field), LAWS_LIST(__VA_ARGS__))
#define LAWS_UNKNOWN(laws, field, rule, ...)                                                       \
    laws_unknown((laws), (field), (rule), LAWS_LIST(__VA_ARGS__))

/* Every state, pair and triple. Prints what was looked at. */
struct laws_report laws_check(const struct laws *laws, laws_merge *merge);

/* Fails the test unless the product's merge breaks no law; prints the counts. */
void laws_hold(const struct laws *laws);

/* The product's. */
laws_merge laws_product;

#endif
