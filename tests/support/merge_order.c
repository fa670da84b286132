/* The order, rule by rule, on the encoded values. */
#include "tests/support/merge_order.h"

#include "common/base/id.h"

#define COUNT_LEN 8

static bool bytes_at_most(struct kw_bytes a, struct kw_bytes b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        if (a.data[i] != b.data[i]) {
            return a.data[i] < b.data[i];
        }
    }
    return a.len <= b.len;
}

/* Has every entry of `a`, of the length given, its match in `b`? */
static bool entries_within(struct kw_bytes a, struct kw_bytes b, size_t entry_len,
                           bool (*tail_within)(const uint8_t *a, const uint8_t *b))
{
    for (size_t i = 0; i < a.len; i += entry_len) {
        bool found = false;

        for (size_t j = 0; j < b.len; j += entry_len) {
            found |= memcmp(a.data + i, b.data + j, KW_ID_LEN) == 0 &&
                     tail_within(a.data + i + KW_ID_LEN, b.data + j + KW_ID_LEN);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static bool count_within(const uint8_t *a, const uint8_t *b)
{
    return bytes_at_most(KW_BYTES(a, COUNT_LEN), KW_BYTES(b, COUNT_LEN));
}

static bool marks_within(const uint8_t *a, const uint8_t *b)
{
    return (*a & ~*b) == 0;
}

static bool set_within(struct kw_bytes a, struct kw_bytes b)
{
    for (size_t i = 0; i < a.len; i += 1U + a.data[i]) {
        bool found = false;

        for (size_t j = 0; j < b.len; j += 1U + b.data[j]) {
            found |= memcmp(a.data + i, b.data + j, 1U + a.data[i]) == 0;
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static bool value_within(enum kw_rule rule, struct kw_bytes a, struct kw_bytes b)
{
    switch (rule) {
    case KW_RULE_ONCE:
    case KW_RULE_ERASABLE:
    case KW_RULE_FIRST:
        return bytes_at_most(b, a);
    case KW_RULE_OR:
        return true;
    case KW_RULE_MAX:
    case KW_RULE_LWW:
        return bytes_at_most(a, b);
    case KW_RULE_VECTOR:
        return entries_within(a, b, KW_ID_LEN + COUNT_LEN, count_within);
    case KW_RULE_SUSPENSIONS:
        return entries_within(a, b, KW_ID_LEN + 1, marks_within);
    case KW_RULE_SET:
    case KW_RULE_RIVALS:
        return set_within(a, b);
    case KW_RULE_END_:
        break;
    }
    return false;
}

bool record_within(const struct kw_record *a, const struct kw_record *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct kw_record_field *field = &a->fields[i];
        const struct kw_record_field *other = kw_record_find(b, field->number);

        if (other == NULL || other->rule != field->rule ||
            !value_within(field->rule, field->value, other->value)) {
            return false;
        }
    }
    return true;
}
