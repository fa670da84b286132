/* Faults: for tests, one place after the other fails.
 *
 * A build with KW_FAULTS (dev and coverage; never a release) has a fault in every KW_TRY and every request for memory
 * of the services. Armed, the next one that is passed and never was before makes its call fail at once, with nothing
 * done, which is what a failure promises; then nothing fails until a test arms again. A test that repeats a request
 * until nothing new fails has walked every error path of it (tests/support/faults.h).
 *
 * The plan of what to fail is shared with the processes a test starts: a file named by KEYWARD_FAULTS. */
#ifndef KW_COMMON_BASE_FAULT_H
#define KW_COMMON_BASE_FAULT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KW_FAULT_PLACES_MAX 8192U
#define KW_FAULT_TEXT_SIZE  96U

/* All zero: nothing is armed, and no place has failed yet. */
struct kw_fault_plan {
    atomic_uint fired; /* how many have failed */
    atomic_bool armed;
    char scope[KW_FAULT_TEXT_SIZE]; /* places in files whose path begins so */
    char except[2 *
                KW_FAULT_TEXT_SIZE]; /* but not in these: paths and folders, separated by spaces */
    char last[KW_FAULT_TEXT_SIZE];   /* the place that failed last, FILE:LINE */
    _Atomic uint64_t places[KW_FAULT_PLACES_MAX]; /* that have failed: hashes, open addressing */
};

/* This process's plan: its own, or the one shared by KEYWARD_FAULTS. Never NULL. */
struct kw_fault_plan *kw_fault_plan(void);

/* True when the place is to fail now. */
bool kw_fault_fires(const char *file, int line);

#define KW_FAULT() kw_fault_fires(__FILE__, __LINE__)

/* Only a call can fail without having done anything; a result that is merely passed on cannot. */
#define KW_FAULT_CALL(text) (__builtin_strchr((text), '(') != NULL && KW_FAULT())

#endif
