/* What a fixture can't do without: a failure here is the fixture's, and ends the test at once. */
#ifndef KW_TESTS_SUPPORT_MUST_H
#define KW_TESTS_SUPPORT_MUST_H

#include "common/base/result.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define REQUIRE(condition, ...)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            cr_fatal(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)

#define MUST(expr)                                                                                 \
    do {                                                                                           \
        struct kw_error must_error_ = {0};                                                         \
        struct kw_error *err = &must_error_;                                                       \
        struct kw_result must_result_ = (expr);                                                    \
        REQUIRE(kw_ok(must_result_), "%s: %s", #expr, must_error_.message);                        \
    } while (0)

#endif
