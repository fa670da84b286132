/* The words. */
#include "services/gateway/wait.h"

#define COPIES(level) KEYWARD__INTERNAL__V1__COPIES__COPIES_##level

static const struct {
    const char *word;
    Keyward__Internal__V1__Copies wait;
} words[] = {{"LOCAL", COPIES(UNSPECIFIED)}, {"REGION", COPIES(REGION)}, {"ALL", COPIES(ALL)}};

/* What uses a key is the orchestrator's to make durable, and waits for what it needs by itself. */
static bool can_wait(const struct kw_method *method)
{
    return kw_method_has(method, KW_METHOD_MUTATES) && method->audit == KW_AUDIT_CHANGE;
}

struct kw_result kw_wait_read(const struct kw_method *method, struct kw_bytes value,
                              Keyward__Internal__V1__Copies *ret_wait, struct kw_error *err)
{
    *ret_wait = COPIES(UNSPECIFIED);
    if (value.len == 0) {
        return KW_OK;
    }
    KW_ENSURE(can_wait(method), err, METADATA_INVALID, "nothing to wait for in %s", method->name);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (kw_bytes_equal(value, kw_bytes_str(words[i].word))) {
            *ret_wait = words[i].wait;
            return KW_OK;
        }
    }
    KW_FAIL(err, METADATA_INVALID, "no such wait");
}

/* What several owners made durable is as far as the least of them. */
const char *kw_wait_tell(Keyward__Internal__V1__Copies reached, bool local_only)
{
    static const char *const told[] = {[COPIES(LOCAL)] = "LOCAL_ONLY",
                                       [COPIES(CELL)] = "CELL",
                                       [COPIES(REGION)] = "REGION",
                                       [COPIES(ALL)] = "ALL"};

    if (local_only) {
        return told[COPIES(LOCAL)];
    }
    return (size_t)reached < sizeof(told) / sizeof(told[0]) ? told[reached] : NULL;
}
