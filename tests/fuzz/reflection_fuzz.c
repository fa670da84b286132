/* Reflection requests, answered from the embedded descriptors; and look-ups of the input as a name and a symbol. The
 * internal files are in none of it. */
#include "common/rpc/protocheck.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "services/gateway/reflection.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/proto_mutate.h"

#include <stdlib.h>

static struct kw_descriptors *descriptors;

static void look_up(struct kw_bytes bytes)
{
    char *text = kw_fuzz_text(bytes);
    size_t count = kw_descriptors_count(descriptors);
    size_t by_name = kw_descriptors_by_name(descriptors, text);
    size_t by_symbol = kw_descriptors_by_symbol(descriptors, text);

    KW_FUZZ_CHECK(by_name == KW_DESCRIPTORS_NONE || by_name < count);
    KW_FUZZ_CHECK(by_symbol == KW_DESCRIPTORS_NONE || by_symbol < count);
    KW_FUZZ_CHECK(!kw_descriptors_has_message(descriptors, text) ||
                  by_symbol != KW_DESCRIPTORS_NONE);
    KW_FUZZ_CHECK(strncmp(text, "keyward/internal", 16) != 0 || by_name == KW_DESCRIPTORS_NONE);
    KW_FUZZ_CHECK(strncmp(text, "keyward.internal", 16) != 0 || by_symbol == KW_DESCRIPTORS_NONE);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KW_SCOPED(kw_buf_done) struct kw_buf answer = {0};
    struct kw_error err = {0};

    if (descriptors == NULL) {
        KW_FUZZ_MUST(kw_descriptors_new(&descriptors, NULL));
    }
    if (kw_fuzz_accepted(kw_reflection_answer(descriptors, KW_BYTES(data, size), &answer, &err),
                         &err)) {
        KW_FUZZ_CHECK(answer.len > 0);
    }
    look_up(KW_BYTES(data, size));
    return 0;
}

#ifdef KW_FUZZ_ENGINE
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    return kw_fuzz_proto_mutate(&grpc__reflection__v1__server_reflection_request__descriptor, data,
                                size, size_max, seed);
}
#endif
