/* Leaks, asked for by name: Criterion ends a test's process in a way that LeakSanitizer's own check
 * at exit never runs. A fixture calls test_no_leaks when it has given everything back. */
#ifndef KW_TESTS_SUPPORT_LEAKS_H
#define KW_TESTS_SUPPORT_LEAKS_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KW_TEST_LEAKS 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define KW_TEST_LEAKS 1
#endif

#ifdef KW_TEST_LEAKS
#include <sanitizer/lsan_interface.h>
#endif

/* Fails the test when memory of this process is reachable from nowhere. Without ASan it cannot
 * know. */
static inline void test_no_leaks(void)
{
#ifdef KW_TEST_LEAKS
    cr_assert(eq(int, __lsan_do_recoverable_leak_check(), 0));
#endif
}

#endif
