/* System calls on files, of our own objects, by the linker's --wrap. Reading a directory and closing
 * never fail here. */
#include "tests/support/nth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail_errno = EIO;

void nth_files_errno(int code)
{
    fail_errno = code;
}

static bool fails(const char *name)
{
    if (!nth_fails(name)) {
        return false;
    }
    errno = fail_errno;
    return true;
}

/* One call: its real one, and the one that may fail. */
#define WRAP(type, name, parameters, arguments)                                                    \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return fails(#name) ? -1 : __real_##name arguments;                                        \
    }

WRAP(ssize_t, read, (int fd, void *data, size_t len), (fd, data, len))
WRAP(ssize_t, write, (int fd, const void *data, size_t len), (fd, data, len))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, fstat, (int fd, struct stat *st), (fd, st))
WRAP(int, flock, (int fd, int operation), (fd, operation))
WRAP(int, ftruncate, (int fd, off_t size), (fd, size))
WRAP(int, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode))
WRAP(int, symlinkat, (const char *target, int dir, const char *path), (target, dir, path))
WRAP(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
WRAP(int, renameat, (int from_dir, const char *from, int to_dir, const char *to),
     (from_dir, from, to_dir, to))
WRAP(ssize_t, readlinkat, (int dir, const char *path, char *text, size_t size),
     (dir, path, text, size))

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);

/* Of a file that is made: the argument that is there only then. */
static mode_t mode_of(int flags, va_list arguments)
{
    return (flags & O_CREAT) != 0 ? (mode_t)va_arg(arguments, int) : 0;
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = mode_of(flags, arguments);
    va_end(arguments);
    return fails("open") ? -1 : __real_open(path, flags, mode);
}

int __wrap_openat(int dir, const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = mode_of(flags, arguments);
    va_end(arguments);
    return fails("openat") ? -1 : __real_openat(dir, path, flags, mode);
}
