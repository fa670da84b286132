/* The page that a test and the shim share: what the shim is to do, and what it has seen. A file, mapped by the test
 * and by every process that has the shim loaded; written while they run.
 */
#ifndef KW_TESTS_SUPPORT_P11_PAGE_H
#define KW_TESTS_SUPPORT_P11_PAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define P11_PAGE_ENV      "P11FAULT_PAGE" /* the file's path */
#define P11_RULES_MAX     16
#define P11_PROCESSES_MAX 512
#define P11_PATH_SIZE     256

enum p11_function {
#define P11(name, ...) P11_##name,
#include "tests/support/p11/functions.def"
#undef P11
    P11_COUNT_,
    P11_ANY = P11_COUNT_, /* in a rule: whatever talks to the token */
};

enum p11_action {
    P11_RETURN, /* return `rv`: instead of the call, or after it */
    P11_LOSE,   /* the session is closed behind the caller's back, and `rv` returned */
    P11_DELAY,  /* `ms` longer */
    P11_HANG,   /* until the test lets go */
    P11_CRASH,
    P11_FLIP,   /* one bit of each byte of the output is another */
    P11_ZERO,   /* the output is all zero */
    P11_SHORT,  /* the output is a byte shorter than it should be */
    P11_VANISH, /* a search finds nothing */
};

/* One rule: which calls, and what happens to them. */
struct p11_plan {
    enum p11_function function;
    enum p11_action action;
    unsigned long rv;
    bool after;     /* P11_RETURN: the call is made, its answer lost */
    uint64_t first; /* the call that is hit first, counted from 1 since the rule is there; 0: 1 */
    uint64_t every; /* and each so many after it; 0: only that one */
    uint64_t count; /* so many hits and no more; 0: no end */
    unsigned ms;
};

struct p11_rule {
    struct p11_plan plan;
    _Atomic uint64_t seen;
    _Atomic uint64_t hits;
    _Atomic bool armed;
};

/* What a process has open and has made. A process that was killed stays as it was. */
struct p11_process {
    _Atomic pid_t pid;
    _Atomic int64_t sessions;
    _Atomic int64_t objects; /* session objects */
};

struct p11_page {
    char module[P11_PATH_SIZE]; /* the real one */
    struct p11_rule rules[P11_RULES_MAX];
    _Atomic uint64_t calls[P11_COUNT_]; /* asked for, whatever came of it */
    _Atomic uint64_t token_objects;     /* ever made on a token */
    _Atomic uint32_t process_count;
    struct p11_process processes[P11_PROCESSES_MAX];
};

#endif
