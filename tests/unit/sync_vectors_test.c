/* Records of tests/vectors/formats.json: a merge that Python made by itself comes out byte for
 * byte, whichever side is ours. */
#include "common/sync/record.h"
#include "tests/support/merge_values.h"
#include "tests/support/must.h"

#include <jansson.h>

static const json_t *all_records(void)
{
    static json_t *all; /* lives as long as the process */

    if (all == NULL) {
        all = json_load_file(KW_SOURCE_DIR "/tests/vectors/formats.json", 0, NULL);
    }
    REQUIRE(json_array_size(json_object_get(all, "records")) > 0, "no records in formats.json");
    return json_object_get(all, "records");
}

static struct kw_bytes bytes_of(const json_t *vector, const char *name)
{
    const char *hex = json_string_value(json_object_get(vector, name));
    size_t len = hex != NULL ? strlen(hex) / 2 : 0;
    uint8_t *bytes = kw_arena_alloc(values_arena(), len);

    REQUIRE(hex != NULL && bytes != NULL, "no %s", name);
    MUST(kw_unhex(hex, bytes, len, err));
    return KW_BYTES(bytes, len);
}

static struct kw_record record_of(const json_t *vector, const char *name)
{
    struct kw_record_kind kind = {
        .table = (uint16_t)json_integer_value(json_object_get(vector, "table")), .name = "vector"};
    struct kw_record record;

    MUST(kw_record_decode(&kind, bytes_of(vector, name), &record, err));
    return record;
}

static void check_merge(const struct kw_record *a, const struct kw_record *b,
                        struct kw_bytes expected, const char *name)
{
    KW_SCOPED(kw_buf_done) struct kw_buf encoded = {0};
    struct kw_record merged;

    MUST(kw_record_merge(a, b, values_arena(), NULL, &merged, err));
    MUST(kw_record_encode(&merged, &encoded, err));
    cr_expect(kw_bytes_equal(kw_buf_bytes(&encoded), expected), "%s", name);
}

Test(record, merges_are_the_vectors_bytes)
{
    const json_t *records = all_records();

    for (size_t i = 0; i < json_array_size(records); i++) {
        const json_t *vector = json_array_get(records, i);
        const char *name = json_string_value(json_object_get(vector, "name"));
        struct kw_record ours = record_of(vector, "ours");
        struct kw_record theirs = record_of(vector, "theirs");

        check_merge(&ours, &theirs, bytes_of(vector, "merged"), name);
        check_merge(&theirs, &ours, bytes_of(vector, "merged"), name);
    }
    cr_assert_geq(json_array_size(records), KW_RULE_END_ - 1);
}
