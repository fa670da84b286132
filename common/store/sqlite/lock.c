/* One process per database: a lock file beside it, held as long as the store is open.
 *
 * The lock is not on the database file itself, because closing any descriptor of that file would
 * drop SQLite's own (POSIX) locks of the whole process. The kernel releases it when the process
 * ends, however it ends.
 */
#include "common/store/sqlite/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PRIVATE_MODE  (S_IRUSR | S_IWUSR)
#define PID_TEXT_SIZE 24

static void close_fd(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

/* The process that wrote itself into the lock file; 0 when that can't be read. */
static long holder_of(int fd)
{
    char text[PID_TEXT_SIZE] = "";
    ssize_t got = pread(fd, text, sizeof(text) - 1, 0);

    return got > 0 ? strtol(text, NULL, 10) : 0;
}

/* For the message that a second instance gives; the lock holds without it. */
static struct kw_result write_holder(int fd, const char *name, struct kw_error *err)
{
    int written = ftruncate(fd, 0) == 0 ? dprintf(fd, "%ld\n", (long)getpid()) : -1;

    KW_ENSURE(written > 0, err, STORE_UNAVAILABLE, "write %s: %s", name, strerror(errno));
    return KW_OK;
}

static struct kw_result hold(int fd, const char *path, const char *name, struct kw_error *err)
{
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        KW_ENSURE(errno == EWOULDBLOCK, err, STORE_UNAVAILABLE, "lock %s: %s", name,
                  strerror(errno));
        KW_FAIL(err, STORE_UNAVAILABLE, "the database %s is in use by process %ld", path,
                holder_of(fd));
    }
    return write_holder(fd, name, err);
}

/* Creates the file before SQLite would, so that nobody else can ever read it; SQLite gives the same
 * mode to the log and the index beside it. */
static struct kw_result make_private(const char *path, struct kw_error *err)
{
    KW_SCOPED(close_fd) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, PRIVATE_MODE);

    KW_ENSURE(fd >= 0, err, STORE_UNAVAILABLE, "open %s: %s", path, strerror(errno));
    KW_ENSURE(fchmod(fd, PRIVATE_MODE) == 0, err, STORE_UNAVAILABLE, "chmod %s: %s", path,
              strerror(errno));
    return KW_OK;
}

struct kw_result kw_sqlite_lock(const struct kw_store_options *options, int *ret_fd,
                                struct kw_error *err)
{
    const char *path = options->path;
    char name[PATH_MAX];
    int length = snprintf(name, sizeof(name), "%s.lock", path);
    struct kw_result result;
    int fd;

    KW_ENSURE(length > 0 && (size_t)length < sizeof(name), err, CONFIG_INVALID,
              "the database's path is longer than %d bytes", PATH_MAX);
    fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, PRIVATE_MODE);
    KW_ENSURE(fd >= 0, err, STORE_UNAVAILABLE, "open %s: %s", name, strerror(errno));
    result = hold(fd, path, name, err);
    if (kw_ok(result)) {
        result = make_private(path, err);
    }
    if (!kw_ok(result)) {
        (void)close(fd);
        return result;
    }
    *ret_fd = fd;
    return KW_OK;
}
