/* Who calls: the gateway's Caller message as authz reads it, certificate included. An identity comes of a certificate
 * of our trust domain alone, and the second reading, out of the cache, says what the first said.
 */
#include "common/base/limits.h"
#include "keyward/internal/v1/context.pb-c.h"
#include "services/authz/caller.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/proto_mutate.h"

#define DOMAIN "keyward.test"

static struct kw_caller_cache *cache;

static bool read_once(struct kw_bytes context, struct kw_caller *caller)
{
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_error err = {0};
    bool accepted;

    KW_FUZZ_CHECK(arena != NULL);
    accepted = kw_fuzz_accepted(kw_caller_read(cache, context, DOMAIN, arena, caller, &err), &err);
    KW_FUZZ_CHECK(!accepted || (strncmp(caller->spiffe_id, "spiffe://" DOMAIN "/", 22) == 0 &&
                                caller->certificate.len > 0));
    kw_arena_free(arena);
    return accepted;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_caller first;
    struct kw_caller second;

    if (cache == NULL) {
        KW_FUZZ_MUST(kw_caller_cache_new(&cache, NULL));
    }
    if (read_once(KW_BYTES(data, size), &first)) {
        KW_FUZZ_CHECK(read_once(KW_BYTES(data, size), &second));
        KW_FUZZ_CHECK(strcmp(first.spiffe_id, second.spiffe_id) == 0);
        kw_caller_done(&second);
    }
    kw_caller_done(&first);
    return 0;
}

#ifdef KW_FUZZ_ENGINE
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    return kw_fuzz_proto_mutate(&keyward__internal__v1__caller__descriptor, data, size, size_max,
                                seed);
}
#endif
