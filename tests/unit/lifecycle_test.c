/* Facts, the fold and the table: round trips, algebra over every subset, and each cell against a
 * list written by hand. */
#include "common/lifecycle/table.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>

#define ACTOR "spiffe://keyward.test/operator/opr_aebagbafaydqqcikbmga2dqpca"

static const struct kw_id key_id = {{1}};
static const struct kw_id capsule_id = {{2}};
static const struct kw_id first_suspension = {{3}};
static const struct kw_id second_suspension = {{4}};

static struct kw_fact fact_of(enum kw_fact_kind kind, struct kw_id ref)
{
    return (struct kw_fact){.key = key_id,
                            .kind = kind,
                            .ref = ref,
                            .time_ms = 1767225600000,
                            .capsule = capsule_id,
                            .actor = kw_bytes_str(ACTOR)};
}

static struct kw_fact plain(enum kw_fact_kind kind)
{
    bool with_ref = kind == KW_FACT_SUSPENDED || kind == KW_FACT_LIFTED;

    return fact_of(kind, with_ref ? first_suspension : KW_ID_NONE);
}

/* ---- facts ---- */

Test(fact, every_kind_comes_back_as_it_went)
{
    for (unsigned kind = 1; kind < KW_FACT_KIND_END_; kind++) {
        KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
        struct kw_fact in = plain((enum kw_fact_kind)kind);
        struct kw_fact out;

        cr_assert(kw_ok(kw_fact_encode(&in, &record, NULL)));
        cr_assert(kw_ok(kw_fact_decode(kw_buf_bytes(&record), &out, NULL)));
        cr_assert_eq(out.kind, in.kind);
        cr_assert(kw_id_equal(out.key, in.key) && kw_id_equal(out.ref, in.ref));
        cr_assert(kw_id_equal(out.capsule, in.capsule));
        cr_assert_eq(out.time_ms, in.time_ms);
        cr_assert(kw_bytes_equal(out.actor, in.actor));
    }
}

Test(fact, every_truncation_and_a_longer_record_are_refused)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_fact fact = plain(KW_FACT_SUSPENDED);
    struct kw_fact out;

    cr_assert(kw_ok(kw_fact_encode(&fact, &record, NULL)));
    for (size_t len = 0; len < record.len; len++) {
        cr_assert_eq(kw_fact_decode(KW_BYTES(record.data, len), &out, NULL).reason,
                     KW_E_ENCODING_INVALID, "at %zu", len);
    }
    cr_assert(kw_ok(kw_buf_append(&record, KW_BYTES("", 1), NULL)));
    cr_assert_eq(kw_fact_decode(kw_buf_bytes(&record), &out, NULL).reason, KW_E_ENCODING_INVALID);
}

Test(fact, fields_that_do_not_go_together_are_refused_by_the_writer)
{
    static char long_actor[KW_FACT_ACTOR_LEN_MAX + 1];
    struct kw_fact wrong[] = {
        plain((enum kw_fact_kind)0),
        plain(KW_FACT_KIND_END_),
        fact_of(KW_FACT_SUSPENDED, KW_ID_NONE),
        fact_of(KW_FACT_LIFTED, KW_ID_NONE),
        fact_of(KW_FACT_DESTROYED, first_suspension),
        plain(KW_FACT_ACTIVATED),
        plain(KW_FACT_ACTIVATED),
        plain(KW_FACT_ACTIVATED),
        plain(KW_FACT_ACTIVATED),
        plain(KW_FACT_ACTIVATED),
    };
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};

    memset(long_actor, 'a', sizeof(long_actor));
    wrong[5].capsule = KW_ID_NONE;
    wrong[6].actor = KW_BYTES_NONE;
    wrong[7].actor = KW_BYTES_OF(long_actor);
    wrong[8].actor = KW_BYTES("a\0b", 3);
    wrong[9].key = KW_ID_NONE;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_eq(kw_fact_encode(&wrong[i], &out, NULL).reason, KW_E_ARGUMENT_INVALID, "%zu", i);
        cr_assert_eq(out.len, 0);
    }
}

Test(fact, fields_that_do_not_go_together_are_refused_by_the_reader)
{
    enum {
        MAGIC_AT = 0,
        KIND_AT = 20,
        REF_AT = 21,
        CAPSULE_AT = 45,
        ACTOR_AT = 63
    };
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {{MAGIC_AT, 'X'}, {KIND_AT, 0},    {KIND_AT, 9},  {KIND_AT, 4},
                   {REF_AT, 1},     {CAPSULE_AT, 0}, {ACTOR_AT, 0}, {ACTOR_AT, 0xFF}};

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
        struct kw_fact fact = plain(KW_FACT_ACTIVATED);
        struct kw_fact out;

        cr_assert(kw_ok(kw_fact_encode(&fact, &record, NULL)));
        record.data[changes[i].at] = changes[i].value;
        cr_assert_eq(kw_fact_decode(kw_buf_bytes(&record), &out, NULL).reason,
                     KW_E_ENCODING_INVALID, "%zu", i);
    }
}

Test(fact, only_a_disabling_fact_may_come_without_a_capsule)
{
    for (unsigned kind = 1; kind < KW_FACT_KIND_END_; kind++) {
        KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
        struct kw_fact fact = plain((enum kw_fact_kind)kind);

        fact.capsule = KW_ID_NONE;
        cr_assert_eq(kw_ok(kw_fact_encode(&fact, &record, NULL)),
                     !kw_fact_kind_enabling((enum kw_fact_kind)kind));
    }
}

Test(fact, kinds_have_names_and_numbers_outside_have_none)
{
    cr_assert_str_eq(kw_fact_kind_name(KW_FACT_LIFTED), "lifted");
    cr_assert_str_eq(kw_fact_kind_name((enum kw_fact_kind)0), "unknown");
    cr_assert_str_eq(kw_fact_kind_name(KW_FACT_KIND_END_), "unknown");
    cr_assert_not(kw_fact_kind_enabling(KW_FACT_KIND_END_));
}

Test(fact, the_mac_covers_a_label_and_the_record)
{
    KW_SCOPED(kw_buf_done) struct kw_buf input = {0};

    cr_assert(kw_ok(kw_fact_mac_input(kw_bytes_str("record"), &input, NULL)));
    cr_assert(kw_bytes_equal(kw_buf_bytes(&input), kw_bytes_str("KEYWARD-FACT-v1record")));
}

/* ---- the fold ---- */

enum {
    FACTS = 10,
    SUBSETS = 1 << FACTS
};

static struct kw_fact domain[FACTS];
static struct kw_key_state folded[SUBSETS];

static void fill_domain(void)
{
    domain[0] = plain(KW_FACT_CONFIRMED);
    domain[1] = plain(KW_FACT_PROTECTED);
    domain[2] = plain(KW_FACT_ACTIVATED);
    domain[3] = fact_of(KW_FACT_LIFTED, first_suspension);
    domain[4] = fact_of(KW_FACT_LIFTED, second_suspension);
    domain[5] = fact_of(KW_FACT_SUSPENDED, first_suspension);
    domain[6] = fact_of(KW_FACT_SUSPENDED, second_suspension);
    domain[7] = plain(KW_FACT_DEACTIVATED);
    domain[8] = plain(KW_FACT_COMPROMISED);
    domain[9] = plain(KW_FACT_DESTROYED);
    for (unsigned subset = 0; subset < SUBSETS; subset++) {
        struct kw_fact facts[FACTS];
        size_t count = 0;

        for (unsigned i = 0; i < FACTS; i++) {
            if ((subset & (1U << i)) != 0) {
                facts[count++] = domain[i];
            }
        }
        cr_assert(kw_ok(kw_state_fold(facts, count, &folded[subset], NULL)));
    }
}

TestSuite(fold, .init = fill_domain);

/* With union being commutative, associative and idempotent, so is what agrees with it. */
Test(fold, joining_two_states_is_folding_both_sides_facts)
{
    for (unsigned a = 0; a < SUBSETS; a++) {
        for (unsigned b = 0; b < SUBSETS; b++) {
            struct kw_key_state joined;

            if (!kw_ok(kw_state_join(&folded[a], &folded[b], &joined, NULL)) ||
                !kw_state_equal(&joined, &folded[a | b])) {
                cr_fatal("subsets %x and %x", a, b);
            }
        }
    }
}

/* Heap's algorithm over the first `n` of `order`; `visit` sees every permutation once. */
static void permute(unsigned *order, unsigned n, void (*visit)(const unsigned *order))
{
    if (n == 1) {
        visit(order);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        unsigned other = n % 2 == 0 ? i : 0;
        unsigned kept;

        permute(order, n - 1, visit);
        kept = order[other];
        order[other] = order[n - 1];
        order[n - 1] = kept;
    }
}

/* Seven facts: all four about suspensions, and one of each other sort. */
enum {
    PERMUTED = 7
};
static unsigned permutations;

static void fold_in_order(const unsigned *order)
{
    struct kw_key_state state = {0};
    unsigned subset = 0;

    for (unsigned i = 0; i < PERMUTED; i++) {
        cr_assert(kw_ok(kw_state_add(&state, &domain[order[i]], NULL)));
        subset |= 1U << order[i];
        if (!kw_state_equal(&state, &folded[subset])) {
            cr_fatal("after %u facts of permutation %u", i + 1, permutations);
        }
    }
    permutations++;
}

Test(fold, no_order_of_adding_makes_a_difference)
{
    unsigned order[PERMUTED] = {2, 3, 4, 5, 6, 7, 9};

    permute(order, PERMUTED, fold_in_order);
    cr_assert_eq(permutations, 5040);
}

Test(fold, a_fact_heard_twice_changes_nothing)
{
    for (unsigned subset = 0; subset < SUBSETS; subset++) {
        for (unsigned i = 0; i < FACTS; i++) {
            struct kw_key_state once = folded[subset];
            struct kw_key_state twice;

            cr_assert(kw_ok(kw_state_add(&once, &domain[i], NULL)));
            twice = once;
            cr_assert(kw_ok(kw_state_add(&twice, &domain[i], NULL)));
            cr_assert(kw_state_equal(&once, &twice));
        }
    }
}

Test(fold, lifting_one_suspension_leaves_a_concurrent_one)
{
    struct kw_key_state state = {0};

    cr_assert(kw_ok(kw_state_add(&state, &domain[5], NULL)));
    cr_assert(kw_ok(kw_state_add(&state, &domain[6], NULL)));
    cr_assert(kw_ok(kw_state_add(&state, &domain[3], NULL)));
    cr_assert(kw_state_suspended(&state));
    cr_assert(kw_ok(kw_state_add(&state, &domain[4], NULL)));
    cr_assert_not(kw_state_suspended(&state));
}

Test(fold, a_lift_heard_first_suspends_nothing_and_is_remembered)
{
    struct kw_key_state state = {0};

    cr_assert(kw_ok(kw_state_add(&state, &domain[3], NULL)));
    cr_assert_not(kw_state_suspended(&state));
    cr_assert_not(kw_state_has_suspension(&state, first_suspension));
    cr_assert(kw_ok(kw_state_add(&state, &domain[5], NULL)));
    cr_assert_not(kw_state_suspended(&state));
    cr_assert(kw_state_has_suspension(&state, first_suspension));
    cr_assert_not(kw_state_has_suspension(&state, second_suspension));
}

/* Ids scattered so that the set is not filled in its own order. */
static struct kw_fact suspension_number(unsigned i)
{
    struct kw_id id = {{0}};

    id.bytes[0] = (uint8_t)(i * 37U);
    id.bytes[15] = (uint8_t)(i + 1);
    return fact_of(KW_FACT_SUSPENDED, id);
}

/* The state of suspensions `first` … `end` - 1, each of them lifted. */
static struct kw_key_state lifted_suspensions(unsigned first, unsigned end)
{
    struct kw_key_state state = {0};

    for (unsigned i = first; i < end; i++) {
        struct kw_fact fact = suspension_number(i);

        cr_assert(kw_ok(kw_state_add(&state, &fact, NULL)));
        fact.kind = KW_FACT_LIFTED;
        cr_assert(kw_ok(kw_state_add(&state, &fact, NULL)));
    }
    return state;
}

Test(fold, the_last_suspension_there_is_room_for_stays)
{
    struct kw_key_state state = lifted_suspensions(0, KW_KEY_SUSPENSIONS_MAX - 1);

    cr_assert_not(kw_state_suspended(&state));
    cr_assert_not(kw_state_full(&state));
    state = lifted_suspensions(0, KW_KEY_SUSPENSIONS_MAX);
    cr_assert(kw_state_suspended(&state));
    cr_assert(kw_state_full(&state));
    cr_assert_not(kw_state_allows(&state, KW_OPERATION_RELEASE, KW_ACTOR_PARTNER, NULL));
}

/* However many there are, and in whatever order: which are kept is a matter of their ids. */
Test(fold, suspensions_beyond_the_last_are_taken_and_change_nothing_that_counts)
{
    enum {
        MANY = KW_KEY_SUSPENSIONS_MAX + 20
    };
    struct kw_key_state upwards = {0};
    struct kw_key_state downwards = {0};

    for (unsigned i = 0; i < MANY; i++) {
        struct kw_fact up = suspension_number(i);
        struct kw_fact down = suspension_number(MANY - 1 - i);

        cr_assert(kw_ok(kw_state_add(&upwards, &up, NULL)));
        cr_assert(kw_ok(kw_state_add(&downwards, &down, NULL)));
    }
    cr_assert(kw_state_equal(&upwards, &downwards));
    cr_assert(kw_state_suspended(&upwards));
    for (unsigned i = 0; i < MANY; i++) {
        struct kw_fact again = suspension_number(i);

        cr_assert(kw_ok(kw_state_add(&upwards, &again, NULL)));
    }
    cr_assert(kw_state_equal(&upwards, &downwards));
}

Test(fold, joining_too_many_suspensions_is_folding_both_sides_facts)
{
    for (unsigned cut = 0; cut <= KW_KEY_SUSPENSIONS_MAX + 1; cut++) {
        struct kw_key_state one = lifted_suspensions(0, cut);
        struct kw_key_state other = lifted_suspensions(cut / 2, KW_KEY_SUSPENSIONS_MAX + 1);
        struct kw_key_state all = lifted_suspensions(0, KW_KEY_SUSPENSIONS_MAX + 1);
        struct kw_key_state joined;

        cr_assert(kw_ok(kw_state_join(&one, &other, &joined, NULL)));
        cr_assert(kw_state_equal(&joined, &all), "%u", cut);
        cr_assert(kw_ok(kw_state_join(&other, &one, &joined, NULL)));
        cr_assert(kw_state_equal(&joined, &all), "%u", cut);
    }
}

Test(fold, facts_of_another_key_or_kind_are_refused)
{
    struct kw_key_state state = {0};
    struct kw_key_state other = {0};
    struct kw_key_state joined;
    struct kw_fact foreign = plain(KW_FACT_DESTROYED);
    struct kw_fact unknown = plain(KW_FACT_KIND_END_);

    foreign.key = capsule_id;
    cr_assert(kw_ok(kw_state_add(&state, &domain[0], NULL)));
    cr_assert_eq(kw_state_add(&state, &foreign, NULL).reason, KW_E_ARGUMENT_INVALID);
    cr_assert_eq(kw_state_add(&state, &unknown, NULL).reason, KW_E_ARGUMENT_INVALID);
    cr_assert(kw_state_equal(&state, &folded[1]));
    cr_assert(kw_ok(kw_state_add(&other, &foreign, NULL)));
    cr_assert_eq(kw_state_join(&state, &other, &joined, NULL).reason, KW_E_ARGUMENT_INVALID);
}

Test(fold, states_that_differ_in_one_suspension_are_not_equal)
{
    struct kw_key_state lifted = folded[1U << 5 | 1U << 3];

    cr_assert_not(kw_state_equal(&lifted, &folded[1U << 5]));
    cr_assert_not(kw_state_equal(&folded[1U << 5], &folded[1U << 6]));
    cr_assert_not(kw_state_equal(&folded[1], &folded[3]));
}

Test(fold, phases_are_those_of_the_facts)
{
    cr_assert_eq(kw_state_phase(&folded[0]), KW_PHASE_PRE_ACTIVE);
    cr_assert_eq(kw_state_phase(&folded[2]), KW_PHASE_PRE_ACTIVE);
    cr_assert_eq(kw_state_phase(&folded[6]), KW_PHASE_PRE_ACTIVE); /* activated, never confirmed */
    cr_assert_eq(kw_state_phase(&folded[7]), KW_PHASE_ACTIVE);
    cr_assert_eq(kw_state_phase(&folded[7 | 1U << 7]), KW_PHASE_DEACTIVATED);
}

/* ---- the table ---- */

static bool is_use(enum kw_operation operation)
{
    return operation == KW_OPERATION_DELIVER_TO_STATION || operation == KW_OPERATION_CONFIRM ||
           operation == KW_OPERATION_ACTIVATE || operation == KW_OPERATION_RELEASE ||
           operation == KW_OPERATION_RELEASE_PAST || operation == KW_OPERATION_DERIVE_SESSION;
}

/* Over every state there is: what a disabling fact takes away, nothing but the lifting of that
 * suspension gives back. */
Test(fold, no_disabling_fact_ever_allows_a_use)
{
    for (unsigned subset = 0; subset < SUBSETS; subset++) {
        for (unsigned cell = 0; cell < KW_OPERATION_COUNT_ * KW_ACTOR_COUNT_; cell++) {
            enum kw_operation operation = (enum kw_operation)(cell / KW_ACTOR_COUNT_);
            enum kw_actor actor = (enum kw_actor)(cell % KW_ACTOR_COUNT_);

            if (!is_use(operation) || kw_state_allows(&folded[subset], operation, actor, NULL)) {
                continue;
            }
            for (unsigned i = 5; i < FACTS; i++) {
                cr_assert_not(kw_state_allows(&folded[subset | 1U << i], operation, actor, NULL),
                              "%s by %s in %x and %u", kw_operation_name(operation),
                              kw_actor_name(actor), subset, i);
            }
        }
    }
}

Test(fold, compromised_and_destroyed_keys_are_never_used)
{
    for (unsigned subset = 0; subset < SUBSETS; subset++) {
        for (unsigned cell = 0; cell < KW_OPERATION_COUNT_ * KW_ACTOR_COUNT_; cell++) {
            enum kw_operation operation = (enum kw_operation)(cell / KW_ACTOR_COUNT_);
            enum kw_actor actor = (enum kw_actor)(cell % KW_ACTOR_COUNT_);

            if (is_use(operation) && (subset & (1U << 8 | 1U << 9)) != 0) {
                cr_assert_not(kw_state_allows(&folded[subset], operation, actor, NULL));
            }
        }
    }
}

/* Every cell again, written from SP 800-57 part 1 §7 and the public protos and not from the code.
 * P partner, S station, O operator, A auditor, I invited, V service. An active key stands in the
 * last four. */
static const struct {
    enum kw_operation operation;
    const char *allowed[8]; /* generated protected ready active | suspended deactivated compromised
                               destroyed */
} expected[] = {
    {KW_OPERATION_NONE, {"", "", "", "", "", "", "", ""}},
    {KW_OPERATION_PROTECT, {"V", "V", "V", "V", "V", "V", "V", ""}},
    {KW_OPERATION_DELIVER_TO_STATION, {"", "S", "S", "", "", "", "", ""}},
    {KW_OPERATION_CONFIRM, {"S", "S", "S", "S", "", "", "", ""}},
    {KW_OPERATION_ACTIVATE, {"", "", "SO", "SO", "", "", "", ""}},
    {KW_OPERATION_RELEASE, {"", "", "", "P", "", "", "", ""}},
    {KW_OPERATION_RELEASE_PAST, {"", "", "", "P", "", "P", "", ""}},
    {KW_OPERATION_DERIVE_SESSION, {"", "", "", "P", "", "", "", ""}},
    {KW_OPERATION_SUSPEND, {"OV", "OV", "OV", "OV", "OV", "OV", "OV", ""}},
    {KW_OPERATION_LIFT, {"O", "O", "O", "O", "O", "O", "", ""}},
    {KW_OPERATION_DEACTIVATE, {"OV", "OV", "OV", "OV", "OV", "OV", "OV", ""}},
    {KW_OPERATION_REPORT_COMPROMISE, {"O", "O", "O", "O", "O", "O", "O", "O"}},
    {KW_OPERATION_DESTROY, {"O", "O", "O", "", "O", "O", "O", ""}},
    {KW_OPERATION_READ, {"SOAV", "SOAV", "SOAV", "SOAV", "SOAV", "SOAV", "SOAV", "SOAV"}},
};

/* Subsets of `domain` that stand in the eight columns. */
static const unsigned column_facts[8] = {0,           2,           3,           7,
                                         7 | 1U << 5, 7 | 1U << 7, 7 | 1U << 8, 7 | 1U << 9};

Test(fold, every_cell_of_the_table_is_as_the_documents_say)
{
    static const char letters[] = "PSOAIV";

    cr_assert_eq(sizeof(expected) / sizeof(expected[0]), KW_OPERATION_COUNT_);
    for (unsigned i = 0; i < KW_OPERATION_COUNT_; i++) {
        cr_assert_eq(expected[i].operation, i);
        for (unsigned column = 0; column < 8; column++) {
            for (unsigned actor = 0; actor < KW_ACTOR_COUNT_; actor++) {
                bool allowed = strchr(expected[i].allowed[column], letters[actor]) != NULL;

                cr_assert_eq(kw_state_allows(&folded[column_facts[column]], expected[i].operation,
                                             (enum kw_actor)actor, NULL),
                             allowed, "%s, column %u, %s", kw_operation_name(expected[i].operation),
                             column, kw_actor_name((enum kw_actor)actor));
            }
        }
    }
}

Test(fold, an_active_key_must_be_stopped_before_it_is_destroyed)
{
    const struct kw_key_state *lifted = &folded[7 | 1U << 5 | 1U << 3];
    enum kw_reason reason = KW_E_NONE;

    cr_assert_not(kw_state_allows(lifted, KW_OPERATION_DESTROY, KW_ACTOR_OPERATOR, &reason));
    cr_assert_eq(reason, KW_E_KEY_STATE);
    cr_assert(kw_state_allows(&folded[7 | 1U << 6], KW_OPERATION_DESTROY, KW_ACTOR_OPERATOR, NULL));
}

Test(fold, a_suspended_key_that_is_deactivated_stays_closed_for_old_data)
{
    cr_assert_not(kw_state_allows(&folded[7 | 1U << 5 | 1U << 7], KW_OPERATION_RELEASE_PAST,
                                  KW_ACTOR_PARTNER, NULL));
    cr_assert(kw_state_allows(&folded[7 | 1U << 3 | 1U << 5 | 1U << 7], KW_OPERATION_RELEASE_PAST,
                              KW_ACTOR_PARTNER, NULL));
}

Test(fold, a_key_that_was_deactivated_before_it_was_active_is_not_released)
{
    cr_assert_not(
        kw_state_allows(&folded[3 | 1U << 7], KW_OPERATION_RELEASE_PAST, KW_ACTOR_PARTNER, NULL));
}

Test(fold, refusals_say_why)
{
    struct kw_error err = {0};

    cr_assert_eq(kw_state_require(&folded[7], KW_OPERATION_RELEASE, KW_ACTOR_INVITED, &err).reason,
                 KW_E_PERMISSION_DENIED);
    cr_assert_eq(kw_state_require(&folded[2], KW_OPERATION_ACTIVATE, KW_ACTOR_STATION, &err).reason,
                 KW_E_POSSESSION_UNPROVEN);
    cr_assert_eq(kw_state_require(&folded[1], KW_OPERATION_ACTIVATE, KW_ACTOR_STATION, &err).reason,
                 KW_E_KEY_STATE);
    cr_assert_eq(
        kw_state_require(&folded[7 | 1U << 5], KW_OPERATION_RELEASE, KW_ACTOR_PARTNER, &err).reason,
        KW_E_KEY_STATE);
    cr_assert_str_eq(err.message, "release by partner: the key is suspended");
    cr_assert(kw_ok(kw_state_require(&folded[7], KW_OPERATION_RELEASE, KW_ACTOR_PARTNER, &err)));
}

Test(fold, numbers_outside_the_table_are_denied)
{
    enum kw_reason reason = KW_E_NONE;

    cr_assert_not(kw_state_allows(&folded[7], KW_OPERATION_COUNT_, KW_ACTOR_OPERATOR, &reason));
    cr_assert_eq(reason, KW_E_PERMISSION_DENIED);
    cr_assert_not(kw_state_allows(&folded[7], KW_OPERATION_READ, KW_ACTOR_COUNT_, &reason));
    cr_assert_str_eq(kw_operation_name(KW_OPERATION_COUNT_), "unknown");
    cr_assert_str_eq(kw_actor_name(KW_ACTOR_COUNT_), "unknown");
}
