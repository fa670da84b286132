/* Results and errors: the one way a function of ours says that it failed.
 *
 * A fallible function returns `struct kw_result`, which the compiler insists is looked at, and
 * takes a `struct kw_error *err` as its last parameter for the detail. The detail belongs to the
 * request, not to the thread, because our work changes threads. `err` may be NULL where nobody will
 * read it.
 *
 *     KW_ENSURE(len <= KW_BODY_LEN_MAX, err, BODY_TOO_LARGE, "%zu bytes", len);   makes an error
 *     KW_TRY(kw_exec(stmt, NULL, err));                                           passes it on
 *
 * Errors are made by KW_FAIL and KW_ENSURE and by nothing else (a lint checks it), with a reason
 * from errors.def. The message is for our own log; what a caller is told is the reason's fixed
 * text.
 */
#ifndef KW_COMMON_BASE_RESULT_H
#define KW_COMMON_BASE_RESULT_H

#include <stdbool.h>
#include <stddef.h>

enum kw_reason {
    KW_E_NONE = 0,
#define KW_ERROR(name, grpc_code, label, text, cause, cure) KW_E_##name,
#include "common/base/errors.def"
#undef KW_ERROR
    KW_E_COUNT_
};

/* gRPC status codes by number (google.rpc.Code), so that nothing outside common/rpc needs gRPC's
 * headers. */
enum kw_grpc_code {
    KW_GRPC_OK = 0,
    KW_GRPC_CANCELLED = 1,
    KW_GRPC_UNKNOWN = 2,
    KW_GRPC_INVALID_ARGUMENT = 3,
    KW_GRPC_DEADLINE_EXCEEDED = 4,
    KW_GRPC_NOT_FOUND = 5,
    KW_GRPC_ALREADY_EXISTS = 6,
    KW_GRPC_PERMISSION_DENIED = 7,
    KW_GRPC_RESOURCE_EXHAUSTED = 8,
    KW_GRPC_FAILED_PRECONDITION = 9,
    KW_GRPC_ABORTED = 10,
    KW_GRPC_OUT_OF_RANGE = 11,
    KW_GRPC_UNIMPLEMENTED = 12,
    KW_GRPC_INTERNAL = 13,
    KW_GRPC_UNAVAILABLE = 14,
    KW_GRPC_DATA_LOSS = 15,
    KW_GRPC_UNAUTHENTICATED = 16,
};

/* clang enforces the attribute on a type; gcc knows it for functions alone. Both compilers build in
 * CI, so an ignored result does not land. */
#ifdef __clang__
#define KW_MUST_USE __attribute__((warn_unused_result))
#else
#define KW_MUST_USE
#endif

struct KW_MUST_USE kw_result {
    enum kw_reason reason; /* KW_E_NONE: success */
};

#define KW_ERROR_MESSAGE_MAX 240

struct kw_error {
    enum kw_reason reason;
    const char *file; /* where the error was made */
    int line;
    char message[KW_ERROR_MESSAGE_MAX];
};

/* One row of errors.def. */
struct kw_reason_row {
    const char *name; /* ErrorInfo.reason, e.g. "GRANT_REVOKED" */
    enum kw_grpc_code grpc_code;
    const char *label; /* metric label */
    const char *text;  /* what a caller is told */
    const char *cause; /* for the documentation page */
    const char *cure;
};

#define KW_OK ((struct kw_result){KW_E_NONE})

static inline bool kw_ok(struct kw_result r)
{
    return r.reason == KW_E_NONE;
}

/* The registry's row for a reason; KW_E_NONE and unknown values give the row of INTERNAL. Never
 * NULL. */
const struct kw_reason_row *kw_reason_row(enum kw_reason reason);

/* The reason with this name, or KW_E_NONE. */
enum kw_reason kw_reason_by_name(const char *name, size_t len);

/* Fills `err` (if not NULL) and returns the failure. Use KW_FAIL, which adds file and line. */
struct kw_result kw_error_make(struct kw_error *err, enum kw_reason reason, const char *file,
                               int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The reason stands in the macro, so that compilers and analysers see that what it makes is never
 * success. */
#define KW_MAKE(err, name, ...)                                                                    \
    ((void)kw_error_make((err), KW_E_##name, __FILE__, __LINE__, __VA_ARGS__),                     \
     (struct kw_result){KW_E_##name})

#define KW_FAIL(err, name, ...)                                                                    \
    do {                                                                                           \
        return KW_MAKE(err, name, __VA_ARGS__);                                                    \
    } while (0)

#define KW_ENSURE(cond, err, name, ...)                                                            \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            KW_FAIL(err, name, __VA_ARGS__);                                                       \
        }                                                                                          \
    } while (0)

/* In the coverage build every failing side is a call, the last of its line, so that gcov's
 * counts say whether a failure was ever passed on here. */
#ifdef KW_COVERAGE
void kw_failure_passes(void);
#define KW_FAILURE_PASSES() kw_failure_passes()
#else
#define KW_FAILURE_PASSES() ((void)0)
#endif

/* In the builds for tests every call that may fail can be made to, before it has done anything (fault.h). */
#ifdef KW_FAULTS
#include "common/base/fault.h"
#define KW_ATTEMPT(expr)                                                                           \
    (KW_FAULT_CALL(#expr) ? kw_error_make((err), KW_E_MEMORY, __FILE__, __LINE__, "fault") : (expr))
#else
#define KW_ATTEMPT(expr) (expr)
#endif

#define KW_TRY(expr)                                                                               \
    do {                                                                                           \
        struct kw_result kw_try_ = KW_ATTEMPT(expr);                                               \
        if (!kw_ok(kw_try_)) {                                                                     \
            KW_FAILURE_PASSES();                                                                   \
            return kw_try_;                                                                        \
        }                                                                                          \
    } while (0)

/* Says that a failure is deliberately not looked at; the reader sees the word. */
#define KW_IGNORE(expr)                                                                            \
    do {                                                                                           \
        struct kw_result kw_ignored_ = (expr);                                                     \
        (void)kw_ignored_;                                                                         \
    } while (0)

/* `KW_SCOPED(kw_buf_done) struct kw_buf b = {0};`: destroyed when the scope ends, on every path. */
#define KW_SCOPED(destroy) __attribute__((cleanup(destroy)))

#endif
