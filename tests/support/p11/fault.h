/* The test's side of the PKCS#11 fault shim: makes the page, writes rules while workers run, reads what they did.
 *
 *     p11_fault_init(&fault, dir, "/usr/lib/softhsm/libsofthsm2.so");   sets the environment for processes to come
 *     … start what loads P11_FAULT_MODULE …
 *     p11_fault_set(&fault, &(struct p11_plan){.function = P11_Sign, .action = P11_RETURN, .rv = CKR_DEVICE_ERROR});
 */
#ifndef KW_TESTS_SUPPORT_P11_FAULT_H
#define KW_TESTS_SUPPORT_P11_FAULT_H

#include "tests/support/p11/page.h"

#define P11_FAULT_MODULE KW_BINARY_DIR "/lib/p11fault.so"

struct p11_fault {
    char path[P11_PATH_SIZE];
    int fd; /* locked as long as hangs last */
    struct p11_page *page;
};

/* Aborts the test when something fails, like everything here. The page lies in `dir`. */
void p11_fault_init(struct p11_fault *fault, const char *dir, const char *module);
void p11_fault_done(struct p11_fault *fault);

/* Adds a rule, in force from now on in all processes; the earlier of two goes first. */
void p11_fault_set(struct p11_fault *fault, const struct p11_plan *plan);

/* No rules any more. */
void p11_fault_clear(struct p11_fault *fault);

/* Lets go what hangs, for good. */
void p11_fault_release(struct p11_fault *fault);

/* Calls hit by all rules there are. */
uint64_t p11_fault_hits(const struct p11_fault *fault);

/* Calls asked for since the page was made, by all processes. */
uint64_t p11_fault_calls(const struct p11_fault *fault, enum p11_function function);
uint64_t p11_fault_calls_all(const struct p11_fault *fault);
void p11_fault_snapshot(const struct p11_fault *fault, uint64_t ret_calls[P11_COUNT_]);

/* "C_Sign" and so on. */
const char *p11_function_name(enum p11_function function);

/* What a process has open now. */
struct p11_held {
    int64_t sessions;
    int64_t objects;
};
struct p11_held p11_fault_held(const struct p11_fault *fault, pid_t pid);

#endif
