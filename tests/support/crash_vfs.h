/* SQLite on a disk that can lose power (crash_disk.h) and whose calls can be made to fail one by
 * one. Installed as the default, so that common/store uses it unchanged.
 *
 * Files are real ones underneath (locks and shared memory are SQLite's own); only syncs are not, for
 * the model decides what they did.
 */
#ifndef KW_TESTS_SUPPORT_CRASH_VFS_H
#define KW_TESTS_SUPPORT_CRASH_VFS_H

#include "tests/support/crash_disk.h"

/* Once a process, before any connection. */
void crash_vfs_install(void);

/* What goes wrong, and where it can. */
enum crash_fault {
    CRASH_FAULT_NONE,
    CRASH_FAULT_IO,     /* EIO, in any call */
    CRASH_FAULT_FULL,   /* no space: writes, new files, shared memory that grows */
    CRASH_FAULT_BUSY,   /* somebody holds the lock: locks */
    CRASH_FAULT_MEMORY, /* no memory, in any call */
};

/* The n-th call from now on that can fail in this way does, counted from 1; `stays`: and all later
 * ones. CRASH_FAULT_NONE heals. Any thread. */
void crash_vfs_fail(enum crash_fault fault, uint64_t nth, bool stays);

/* Heals, and remembers whether it failed. */
void crash_vfs_stop_failing(void);

/* Did it? */
bool crash_vfs_has_failed(void);

#endif
