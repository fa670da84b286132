/* getrandom, or a test's source. */
#include "common/base/random.h"

#include <errno.h>
#include <sys/random.h>

static void (*replacement)(void *out, size_t len);

struct kw_result kw_random(void *out, size_t len, struct kw_error *err)
{
    uint8_t *at = out;

    if (replacement != NULL) {
        replacement(out, len);
        return KW_OK;
    }
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        KW_ENSURE(got > 0, err, SYSTEM, "getrandom: %s", strerror(errno));
        at += got;
        len -= (size_t)got;
    }
    return KW_OK;
}

void kw_random_replace(void (*fill)(void *out, size_t len))
{
    replacement = fill;
}
