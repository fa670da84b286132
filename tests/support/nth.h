/* "Fail the n-th, for every n": something is done again and again; the first time the first call that
 * can fail does, then the second, until nothing fails any more. So every way out of every function is
 * taken once, in order.
 */
#ifndef KW_TESTS_SUPPORT_NTH_H
#define KW_TESTS_SUPPORT_NTH_H

#include <stdbool.h>
#include <stdint.h>

/* What can be made to fail. */
struct nth_kind {
    void (*arm)(uint64_t n); /* the n-th call from now on fails, counted from 1 */
    void (*disarm)(void);    /* none fails any more */
    bool (*fired)(void);     /* has one failed since it was armed? */
};

struct nth {
    const char *what; /* for messages */
    const struct nth_kind *kind;
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

/* --- calls that are counted ---
 *
 * Which ones they are is the binary's choice: SQLite's allocations (nth_sqlite.c), our own
 * allocations (nth_memory.c) or system calls on files (nth_files.c), both by the linker's --wrap.
 */
extern const struct nth_kind nth_calls;

/* The one that failed; "nothing" when none did. */
const char *nth_failed(void);

/* For those files: this is such a call; is it to fail? `name` is constant. Any thread. */
bool nth_fails(const char *name);

/* Once a process, before anything of SQLite. */
void nth_sqlite_install(void);

/* With which error system calls fail: ENOSPC, EIO, EMFILE … */
void nth_files_errno(int code);

#endif
