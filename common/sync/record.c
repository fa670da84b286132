/* Records in memory, and their merge: the fields of both, in order. */
#include "common/sync/record.h"

#include "common/base/codec.h"

const struct kw_field_kind *kw_record_kind_field(const struct kw_record_kind *kind, uint8_t number)
{
    if (number >= kind->field_end || kind->fields[number].name == NULL) {
        return NULL;
    }
    return &kind->fields[number];
}

size_t kw_record_kind_field_max(const struct kw_record_kind *kind, uint8_t number)
{
    for (size_t i = 0; i < KW_RECORD_LARGE_MAX; i++) {
        if (number != 0 && kind->large[i] == number) {
            return KW_RECORD_VALUE_LEN_MAX;
        }
    }
    return KW_RECORD_FIELD_LEN_MAX;
}

/* The place of the field, or where it belongs. */
static size_t place_of(const struct kw_record *record, uint8_t number)
{
    size_t place = 0;

    while (place < record->count && record->fields[place].number < number) {
        place++;
    }
    return place;
}

const struct kw_record_field *kw_record_find(const struct kw_record *record, uint8_t number)
{
    size_t place = place_of(record, number);

    if (place == record->count || record->fields[place].number != number) {
        return NULL;
    }
    return &record->fields[place];
}

struct kw_bytes kw_record_value(const struct kw_record *record, uint8_t number)
{
    const struct kw_record_field *field = kw_record_find(record, number);

    return field != NULL ? field->value : KW_BYTES_NONE;
}

bool kw_record_has(const struct kw_record *record, uint8_t number)
{
    return kw_record_find(record, number) != NULL;
}

uint64_t kw_record_u64(const struct kw_record *record, uint8_t number)
{
    struct kw_reader r = KW_READER(kw_record_value(record, number));

    return kw_get_u64(&r);
}

struct kw_result kw_record_set(struct kw_record *record, const struct kw_record_kind *kind,
                               uint8_t number, struct kw_bytes value, struct kw_error *err)
{
    const struct kw_field_kind *field = kw_record_kind_field(kind, number);
    size_t place = place_of(record, number);
    struct kw_record_field *at = &record->fields[place];

    KW_ENSURE(field != NULL && kw_rule_valid(field->rule, value), err, ARGUMENT_INVALID,
              "field %u of %s: no such field, or no value of it", number, kind->name);
    if (place == record->count || at->number != number) {
        memmove(at + 1, at, (record->count - place) * sizeof(*at));
        record->count++;
    }
    *at = (struct kw_record_field){.number = number, .rule = field->rule, .value = value};
    return KW_OK;
}

/* --- merge --- */

struct merge {
    const struct kw_record *ours;
    const struct kw_record *theirs;
    struct kw_arena *arena;
    struct kw_conflicts *conflicts;
};

static struct kw_result join_field(const struct merge *merge, const struct kw_record_field *ours,
                                   const struct kw_record_field *theirs,
                                   struct kw_record_field *ret_field, struct kw_error *err)
{
    struct kw_record_field joined = *ours;

    KW_ENSURE(ours->rule == theirs->rule, err, ENCODING_INVALID,
              "field %u merges as %s here and as %s there", ours->number, kw_rule_name(ours->rule),
              kw_rule_name(theirs->rule));
    KW_TRY(kw_rule_join(ours->rule, ours->value, theirs->value, merge->arena, &joined.value, err));
    if (kw_rule_conflict(ours->rule, ours->value, theirs->value)) {
        kw_conflicts_add(merge->conflicts, &(struct kw_conflict){.field = ours->number,
                                                                 .rule = ours->rule,
                                                                 .ours = ours->value,
                                                                 .theirs = theirs->value});
    }
    *ret_field = joined;
    return KW_OK;
}

/* The next field of both, from whoever has it; `ours` and `theirs` are how far they are. */
static struct kw_result merge_next(const struct merge *merge, size_t *ours, size_t *theirs,
                                   struct kw_record_field *ret_field, struct kw_error *err)
{
    const struct kw_record_field *mine = &merge->ours->fields[*ours];
    const struct kw_record_field *other = &merge->theirs->fields[*theirs];
    bool has_mine = *ours < merge->ours->count;
    bool has_other = *theirs < merge->theirs->count;

    if (has_mine && has_other && mine->number == other->number) {
        *ours += 1;
        *theirs += 1;
        return join_field(merge, mine, other, ret_field, err);
    }
    if (has_mine && (!has_other || mine->number < other->number)) {
        *ours += 1;
        *ret_field = *mine;
    } else {
        *theirs += 1;
        *ret_field = *other;
    }
    return KW_OK;
}

struct kw_result kw_record_merge(const struct kw_record *ours, const struct kw_record *theirs,
                                 struct kw_arena *arena, struct kw_conflicts *conflicts,
                                 struct kw_record *ret_record, struct kw_error *err)
{
    struct merge merge = {.ours = ours, .theirs = theirs, .arena = arena, .conflicts = conflicts};
    struct kw_record merged = {.table = ours->table, .key = ours->key};
    size_t mine = 0;
    size_t other = 0;

    KW_ENSURE(ours->table == theirs->table && kw_bytes_equal(ours->key, theirs->key), err,
              ARGUMENT_INVALID, "two records of different rows");
    while (mine < ours->count || other < theirs->count) {
        KW_TRY(merge_next(&merge, &mine, &other, &merged.fields[merged.count], err));
        merged.count++;
    }
    *ret_record = merged;
    return KW_OK;
}
