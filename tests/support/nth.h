/* "Fail the n-th, for every n": something is done again and again; the first time the first call that
 * can fail does, then the second, until nothing fails any more. So every way out of every function is
 * taken once, in order.
 */
#ifndef KW_TESTS_SUPPORT_NTH_H
#define KW_TESTS_SUPPORT_NTH_H

#include <stdbool.h>
#include <stdint.h>

struct nth {
    const char *what;        /* for messages */
    void (*arm)(uint64_t n); /* the n-th call from now on fails; 0: none */
    bool (*fired)(void);     /* did it? */
    /* Sets up, arms by nth_arm, acts, disarms, and checks. */
    void (*attempt)(struct nth *nth);
    void *context;
    uint64_t sparse; /* with many attempts: only every so many-th, but for `./run test --full` */
    uint64_t n;      /* of this attempt */
};

/* Runs the attempts. How many there were; the last one met no failure. Ends the test when there is
 * no end. KEYWARD_NTH_ALL: none is left out. */
uint64_t nth_run(struct nth *nth);

/* For attempts: around what is to fail. `nth_disarm` says whether something did. */
void nth_arm(const struct nth *nth);
bool nth_disarm(const struct nth *nth);

/* --- what fails: SQLite's allocations --- */

/* Once a process, before anything of SQLite. */
void nth_sqlite_install(void);
void nth_sqlite_arm(uint64_t n);
bool nth_sqlite_fired(void);

/* --- what fails: our own allocations, in binaries linked with kw_wrap_memory --- */
void nth_memory_arm(uint64_t n);
bool nth_memory_fired(void);

/* --- what fails: our own system calls, in binaries linked with kw_wrap_files --- */

/* With which error: ENOSPC, EIO, EMFILE … */
void nth_files_errno(int code);
void nth_files_arm(uint64_t n);
bool nth_files_fired(void);

#endif
