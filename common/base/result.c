/* The reason registry as a table, and the one function that makes errors. */
#include "common/base/result.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct kw_reason_row rows[] = {
#define KW_ERROR(name, grpc_code, label, text, cause, cure)                                        \
    [KW_E_##name] = {#name, KW_GRPC_##grpc_code, label, text, cause, cure},
#include "common/base/errors.def"
#undef KW_ERROR
};

const struct kw_reason_row *kw_reason_row(enum kw_reason reason)
{
    if (reason <= KW_E_NONE || reason >= KW_E_COUNT_) {
        return &rows[KW_E_INTERNAL];
    }
    return &rows[reason];
}

enum kw_reason kw_reason_by_name(const char *name, size_t len)
{
    for (int r = KW_E_NONE + 1; r < KW_E_COUNT_; r++) {
        if (strlen(rows[r].name) == len && memcmp(rows[r].name, name, len) == 0) {
            return (enum kw_reason)r;
        }
    }
    return KW_E_NONE;
}

struct kw_result kw_error_make(struct kw_error *err, enum kw_reason reason, const char *file,
                               int line, const char *format, ...)
{
    /* Put together aside: the arguments may point into `err`, when one error is made of another. */
    char message[KW_ERROR_MESSAGE_MAX];
    va_list args;

    if (err != NULL) {
        va_start(args, format);
        (void)vsnprintf(message, sizeof(message), format, args);
        va_end(args);
        *err = (struct kw_error){.reason = reason, .file = file, .line = line};
        memcpy(err->message, message, strlen(message) + 1);
    }
    return (struct kw_result){reason};
}

#ifdef KW_COVERAGE
void kw_failure_passes(void)
{
}
#endif
