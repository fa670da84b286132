/* Records: their encoding, what is refused, their merge, what is told of it, and holding back. */
#include "common/base/limits.h"
#include "common/sync/lww.h"
#include "common/sync/record_hold.h"
#include "common/sync/stamp_limits.h"
#include "tests/support/merge_laws.h"
#include "tests/support/must.h"

enum field {
    NAME = 1,
    COUNT,
    PROFILE,
    LATEST,
    ANSWER,
};

static const struct kw_field_kind fields[] = {
    [NAME] = {"name", KW_RULE_ONCE},
    [COUNT] = {"count", KW_RULE_MAX},
    [PROFILE] = {"profile", KW_RULE_LWW},
    [ANSWER] = {"answer", KW_RULE_ONCE},
};

static const struct kw_record_kind kind = {
    .table = 258, .name = "examples", KW_RECORD_FIELDS(fields), .large = {ANSWER}};

static struct kw_record record_of(uint8_t field, struct kw_bytes value)
{
    struct kw_record record = {.table = kind.table, .key = kw_bytes_str("key")};

    MUST(kw_record_set(&record, &kind, field, value, err));
    return record;
}

static struct kw_bytes encoded(const struct kw_record *record)
{
    struct kw_buf buf = {0};

    MUST(kw_record_encode(record, &buf, err));
    return value_keep(&buf);
}

/* --- the encoding --- */

/* Field 40 is one that the kind does not know. */
static const char known_answer[] = "4b574d31"         /* KWM1 */
                                   "0102"             /* table 258 */
                                   "00036b6579"       /* key */
                                   "010100000004"     /* field 1, once, 4 bytes … */
                                   "70656e31"         /* … pen1 */
                                   "020400000008"     /* field 2, max, 8 bytes … */
                                   "0000000000000007" /* … 7 */
                                   "280300000000";    /* field 40, or, empty */

static struct kw_bytes known_bytes(void)
{
    static uint8_t bytes[(sizeof(known_answer) - 1) / 2];

    MUST(kw_unhex(known_answer, bytes, sizeof(bytes), err));
    return KW_BYTES_OF(bytes);
}

Test(record, a_row_is_named_without_a_look_at_its_fields)
{
    struct kw_bytes bytes = known_bytes();
    struct kw_bytes key;
    uint16_t table;

    cr_assert(kw_record_peek(bytes, &table, &key));
    cr_assert_eq(table, kind.table);
    cr_assert(kw_bytes_equal(key, kw_bytes_str("key")));
    cr_assert(kw_record_peek(KW_BYTES(bytes.data, 11), &table, &key));
    for (size_t len = 0; len < 11; len++) {
        cr_assert_not(kw_record_peek(KW_BYTES(bytes.data, len), &table, &key), "%zu", len);
    }
    cr_assert_not(kw_record_peek(kw_bytes_str("KWM2\1\2\1\1k"), &table, &key));
}

Test(record, a_known_encoding_is_read_and_written_byte_for_byte)
{
    struct kw_record record;

    MUST(kw_record_decode(&kind, known_bytes(), &record, err));
    cr_assert_eq(record.count, 3);
    cr_assert(kw_bytes_equal(record.key, kw_bytes_str("key")));
    cr_assert(kw_bytes_equal(kw_record_value(&record, NAME), kw_bytes_str("pen1")));
    cr_assert_eq(kw_record_u64(&record, COUNT), 7);
    cr_assert(kw_record_has(&record, 40));
    cr_assert_not(kw_record_has(&record, PROFILE));
    cr_assert(kw_bytes_equal(encoded(&record), known_bytes()));
}

Test(record, every_truncation_is_refused)
{
    struct kw_bytes whole = known_bytes();
    size_t read = 0;

    for (size_t len = 0; len < whole.len; len++) {
        struct kw_record record;

        read += kw_ok(kw_record_decode(&kind, KW_BYTES(whole.data, len), &record, NULL));
    }
    cr_assert_eq(read, 3, "with none, one and two of three fields; %zu", read);
}

/* Is the known encoding with one byte changed refused? */
static bool refused_with(size_t at, uint8_t byte)
{
    struct kw_bytes whole = known_bytes();
    struct kw_record record;
    uint8_t changed[64];

    kw_copy(changed, whole.data, whole.len);
    changed[at] = byte;
    return !kw_ok(kw_record_decode(&kind, KW_BYTES(changed, whole.len), &record, NULL));
}

Test(record, what_is_no_record_of_this_kind_is_refused)
{
    cr_assert_not(refused_with(10, 'z'), "another key is another record");
    cr_assert(refused_with(0, 'X'), "another magic");
    cr_assert(refused_with(5, 3), "another table");
    cr_assert(refused_with(11, 0), "field 0");
    cr_assert(refused_with(11, 2), "field 2 twice, and as another rule");
    cr_assert(refused_with(11, 3), "out of order, and a known field by another rule");
    cr_assert(refused_with(12, KW_RULE_ERASABLE), "a known field by another rule");
    cr_assert(refused_with(35, 64), "a field beyond the last");
    cr_assert(refused_with(36, KW_RULE_END_), "an unknown field by no rule");
    cr_assert(refused_with(36, KW_RULE_MAX), "an unknown field with no value of its rule");
    cr_assert_not(refused_with(36, KW_RULE_ERASABLE), "an unknown field by another rule is one");
}

Test(record, values_that_a_field_does_not_have_are_not_set)
{
    struct kw_record record = record_of(NAME, value_text("pen1"));

    cr_assert_not(kw_ok(kw_record_set(&record, &kind, NAME, KW_BYTES_NONE, NULL)));
    cr_assert_not(kw_ok(kw_record_set(&record, &kind, COUNT, value_u64(0), NULL)));
    cr_assert_not(kw_ok(kw_record_set(&record, &kind, COUNT, value_text("seven"), NULL)));
    cr_assert_not(kw_ok(kw_record_set(&record, &kind, PROFILE, value_text("unstamped"), NULL)));
    cr_assert_not(kw_ok(kw_record_set(&record, &kind, LATEST, value_text("x"), NULL)));
    cr_assert_eq(record.count, 1);
}

/* Is a record with this key let in? */
static bool key_is_read(size_t len)
{
    static const uint8_t zeros[KW_RECORD_KEY_LEN_MAX + 1];
    struct kw_record record = {.table = kind.table, .key = KW_BYTES(zeros, len)};
    struct kw_record again;

    return kw_ok(kw_record_decode(&kind, encoded(&record), &again, NULL));
}

Test(record, a_key_that_is_empty_or_too_long_is_refused)
{
    cr_assert(key_is_read(1));
    cr_assert(key_is_read(KW_RECORD_KEY_LEN_MAX));
    cr_assert_not(key_is_read(0));
    cr_assert_not(key_is_read(KW_RECORD_KEY_LEN_MAX + 1));
}

Test(record, a_value_that_is_too_long_is_none)
{
    static const uint8_t zeros[KW_RECORD_VALUE_LEN_MAX + 1];

    cr_assert(kw_rule_valid(KW_RULE_ONCE, KW_BYTES(zeros, KW_RECORD_VALUE_LEN_MAX)));
    cr_assert_not(kw_rule_valid(KW_RULE_ONCE, KW_BYTES_OF(zeros)));
}

static bool is_read_with(uint8_t field, size_t len)
{
    static const uint8_t zeros[KW_RECORD_VALUE_LEN_MAX + 1];
    struct kw_record record = {.table = kind.table, .key = kw_bytes_str("key"), .count = 1};

    record.fields[0] = (struct kw_record_field){
        .number = field, .rule = KW_RULE_ONCE, .value = KW_BYTES(zeros, len)};
    return kw_ok(kw_record_decode(&kind, encoded(&record), &record, NULL));
}

/* Each field by itself, so that it makes no difference what it is merged with. */
Test(record, only_what_its_table_calls_large_is)
{
    cr_assert(is_read_with(NAME, KW_RECORD_FIELD_LEN_MAX));
    cr_assert_not(is_read_with(NAME, KW_RECORD_FIELD_LEN_MAX + 1));
    cr_assert(is_read_with(ANSWER, KW_RECORD_VALUE_LEN_MAX));
    cr_assert_not(is_read_with(ANSWER, KW_RECORD_VALUE_LEN_MAX + 1));
    cr_assert(is_read_with(40, KW_RECORD_FIELD_LEN_MAX));
    cr_assert_not(is_read_with(40, KW_RECORD_FIELD_LEN_MAX + 1), "nobody here knows it");
}

Test(record, what_is_there_or_erased_has_no_value_beside_that)
{
    cr_assert(kw_rule_valid(KW_RULE_OR, KW_BYTES_NONE));
    cr_assert_not(kw_rule_valid(KW_RULE_OR, value_text("x")));
    cr_assert(kw_rule_valid(KW_RULE_ERASABLE, KW_BYTES_NONE));
    cr_assert_not(kw_rule_valid(KW_RULE_ONCE, KW_BYTES_NONE));
}

Test(record, a_number_that_is_no_rule_has_a_name_and_no_values)
{
    struct kw_bytes joined;

    cr_assert_str_eq(kw_rule_name(KW_RULE_SUSPENSIONS), "suspensions");
    cr_assert_str_eq(kw_rule_name(0), "unknown");
    cr_assert_str_eq(kw_rule_name(KW_RULE_END_), "unknown");
    cr_assert_not(kw_rule_valid(0, value_text("x")));
    cr_assert_not(kw_ok(kw_rule_join(KW_RULE_END_, value_text("x"), value_text("y"), values_arena(),
                                     &joined, NULL)));
}

/* --- merging --- */

Test(record, records_of_two_rows_or_tables_are_not_merged)
{
    struct kw_record ours = record_of(NAME, value_text("pen1"));
    struct kw_record theirs = ours;
    struct kw_record merged;

    theirs.key = kw_bytes_str("other");
    cr_assert_not(kw_ok(kw_record_merge(&ours, &theirs, values_arena(), NULL, &merged, NULL)));
    theirs = ours;
    theirs.table++;
    cr_assert_not(kw_ok(kw_record_merge(&ours, &theirs, values_arena(), NULL, &merged, NULL)));
}

Test(record, a_field_that_two_releases_merge_differently_is_not_merged_at_all)
{
    struct kw_record ours = record_of(NAME, value_text("pen1"));
    struct kw_record theirs = ours;
    struct kw_record merged;
    struct kw_error error = {0};

    theirs.fields[0].rule = KW_RULE_ERASABLE;
    cr_assert_not(kw_ok(kw_record_merge(&ours, &theirs, values_arena(), NULL, &merged, &error)));
    cr_assert_eq(error.reason, KW_E_ENCODING_INVALID);
}

static void merge_without_memory(enum kw_rule rule, struct kw_bytes ours, struct kw_bytes theirs)
{
    struct kw_arena *none = kw_arena_new(1);
    struct kw_record a = {.table = 1, .key = kw_bytes_str("key"), .count = 1};
    struct kw_record b = a;
    struct kw_record merged;
    struct kw_error error = {0};

    a.fields[0] = (struct kw_record_field){1, rule, ours};
    b.fields[0] = (struct kw_record_field){1, rule, theirs};
    cr_assert_not(kw_ok(kw_record_merge(&a, &b, none, NULL, &merged, &error)));
    cr_assert_eq(error.reason, KW_E_MEMORY);
    kw_arena_free(none);
}

Test(record, without_memory_a_merge_fails_and_says_so)
{
    merge_without_memory(KW_RULE_SET, value_set("x"), value_set("y"));
    merge_without_memory(KW_RULE_VECTOR, value_vector(1, 0), value_vector(0, 1));
    merge_without_memory(KW_RULE_SUSPENSIONS, value_suspensions(1, 0), value_suspensions(0, 1));
}

/* Fields nobody knows, one of each rule that can differ, keep to the same laws. */
Test(record, laws_hold_over_unknown_fields_alone)
{
    struct laws laws = laws_new(&kind);

    LAWS_UNKNOWN(&laws, 40, KW_RULE_ERASABLE, KW_BYTES_NONE, value_text("x"));
    LAWS_UNKNOWN(&laws, 41, KW_RULE_FIRST, value_first(1, store_a, ""));
    LAWS_UNKNOWN(&laws, 42, KW_RULE_SET, value_set("x"), value_set("y"), value_set("xy"));
    LAWS_UNKNOWN(&laws, 43, KW_RULE_LWW, value_lww(1, store_a, "x"), value_lww(1, store_b, "x"));
    LAWS_UNKNOWN(&laws, 44, KW_RULE_SUSPENSIONS, value_suspensions(1, 0));
    laws_hold(&laws);
}

/* --- conflicts --- */

static size_t conflicts_of(const struct kw_record *ours, const struct kw_record *theirs,
                           struct kw_conflict *ret_first)
{
    struct kw_conflicts conflicts = {.items = ret_first, .max = 1};
    struct kw_record merged;

    MUST(kw_record_merge(ours, theirs, values_arena(), &conflicts, &merged, err));
    return conflicts.count;
}

Test(record, an_edit_that_is_lost_is_told_one_that_is_replaced_is_not)
{
    struct kw_record ours = record_of(PROFILE, value_lww(6, store_a, "unread"));
    struct kw_record after = record_of(PROFILE, value_lww_after_b(6, store_a, 5, "read"));
    struct kw_record theirs = record_of(PROFILE, value_lww(5, store_b, "theirs"));
    struct kw_conflict conflict;

    cr_assert_eq(conflicts_of(&ours, &theirs, &conflict), 1);
    cr_assert_eq(conflict.field, PROFILE);
    cr_assert_eq(conflict.rule, KW_RULE_LWW);
    cr_assert_eq(conflicts_of(&after, &theirs, &conflict), 0);
}

Test(record, two_values_of_what_never_changes_are_told_with_both_digests)
{
    struct kw_record ours = record_of(NAME, value_text("pen1"));
    struct kw_record theirs = record_of(NAME, value_text("pen2"));
    struct kw_conflict_digests digests;
    struct kw_conflict conflict;
    uint8_t expected[KW_SHA256_LEN];

    cr_assert_eq(conflicts_of(&ours, &theirs, &conflict), 1);
    MUST(kw_conflict_digests(&conflict, &digests, err));
    MUST(kw_sha256(value_text("pen1"), expected, err));
    cr_assert(kw_bytes_equal(KW_BYTES_OF(digests.ours), KW_BYTES_OF(expected)));
    MUST(kw_sha256(value_text("pen2"), expected, err));
    cr_assert(kw_bytes_equal(KW_BYTES_OF(digests.theirs), KW_BYTES_OF(expected)));
    cr_assert_eq(conflicts_of(&ours, &ours, &conflict), 0);
}

Test(record, conflicts_without_room_are_counted)
{
    struct kw_conflicts conflicts = {0};

    kw_conflicts_add(&conflicts, &(struct kw_conflict){.field = NAME});
    kw_conflicts_add(NULL, &(struct kw_conflict){.field = NAME});
    cr_assert_eq(conflicts.count, 1);
}

/* --- holding back --- */

Test(record, what_needs_no_clock_is_applied_when_their_clock_is_ahead)
{
    uint64_t ahead = (1000 + KW_STAMP_AHEAD_MS_MAX + 1) << 16;
    struct kw_record record = record_of(COUNT, value_u64(7));
    struct kw_record now;
    struct kw_record held;
    struct kw_record again;

    MUST(kw_record_set(&record, &kind, PROFILE, value_lww(ahead, store_b, "early"), err));
    cr_assert(kw_record_hold(&record, 1000, &now, &held));
    cr_assert(kw_record_has(&now, COUNT));
    cr_assert_not(kw_record_has(&now, PROFILE));
    cr_assert(kw_record_has(&held, PROFILE));
    cr_assert_not(kw_record_has(&held, COUNT));
    MUST(kw_record_merge(&now, &held, values_arena(), NULL, &again, err));
    cr_assert(kw_bytes_equal(encoded(&again), encoded(&record)));
}

Test(record, nothing_is_held_when_their_clock_is_near)
{
    uint64_t near = (1000 + KW_STAMP_AHEAD_MS_MAX) << 16;
    struct kw_record record = record_of(PROFILE, value_lww(near, store_b, "on time"));
    struct kw_record now;
    struct kw_record held;

    cr_assert_not(kw_record_hold(&record, 1000, &now, &held));
    cr_assert_eq(held.count, 0);
    cr_assert(kw_bytes_equal(encoded(&now), encoded(&record)));
}
