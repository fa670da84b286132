/* Names of the API: resource names, ids, request ids, SPIFFE ids. Each has one spelling. */
#include "common/pki/spiffe.h"
#include "common/rpc/resource.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static void resource(const char *text)
{
    for (int kind = 0; kind < KW_RESOURCE_COUNT_; kind++) {
        struct kw_error err = {0};
        struct kw_resource_ids ids;
        char again[KW_RESOURCE_NAME_SIZE];

        if (kw_fuzz_accepted(kw_resource_parse((enum kw_resource)kind, text, &ids, &err), &err)) {
            KW_FUZZ_CHECK(strcmp(kw_resource_name((enum kw_resource)kind, &ids, again), text) == 0);
        }
    }
}

static void id(struct kw_bytes bytes)
{
    for (int kind = 0; kind < KW_ID_COUNT_; kind++) {
        struct kw_error err = {0};
        struct kw_id id;
        char again[KW_ID_TEXT_SIZE];

        if (kw_fuzz_accepted(kw_id_parse((enum kw_id_kind)kind, bytes, &id, &err), &err)) {
            KW_FUZZ_CHECK(
                kw_bytes_equal(bytes, kw_bytes_str(kw_id_text((enum kw_id_kind)kind, id, again))));
        }
    }
}

static void request_id(const char *text)
{
    struct kw_error err = {0};
    struct kw_id id;
    char again[KW_REQUEST_ID_TEXT_SIZE];

    if (kw_fuzz_accepted(kw_request_id_parse(text, &id, &err), &err)) {
        KW_FUZZ_CHECK(strcmp(kw_request_id_text(id, again), text) == 0);
    }
}

static void spiffe(struct kw_bytes bytes)
{
    struct kw_error err = {0};
    struct kw_spiffe id;
    char again[KW_SPIFFE_TEXT_SIZE];

    if (kw_fuzz_accepted(kw_spiffe_parse(bytes, &id, &err), &err)) {
        KW_FUZZ_CHECK(kw_bytes_equal(bytes, kw_bytes_str(kw_spiffe_text(&id, again))));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_bytes bytes = KW_BYTES(data, size);
    char *text = kw_fuzz_text(bytes);

    resource(text);
    id(bytes);
    request_id(text);
    spiffe(bytes);
    free(text);
    return 0;
}
