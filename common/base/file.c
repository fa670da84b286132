/* Reading small files whole, and telling them apart. */
#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

void kw_fd_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

/* One byte more than allowed is asked for, so that a file that grew meanwhile is noticed. */
static struct kw_result read_all(int fd, const char *path, size_t len_max, struct kw_buf *buf,
                                 struct kw_error *err)
{
    size_t len = 0;

    KW_TRY(kw_buf_reserve(buf, len_max + 1, err));
    while (len <= len_max) {
        ssize_t got = read(fd, buf->data + buf->len + len, len_max + 1 - len);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        KW_ENSURE(got >= 0, err, CONFIG_INVALID, "file %s: %s", path, strerror(errno));
        if (got == 0) {
            buf->len += len;
            return KW_OK;
        }
        len += (size_t)got;
    }
    KW_FAIL(err, CONFIG_INVALID, "file %s is longer than %zu bytes", path, len_max);
}

struct kw_result kw_file_read(const char *path, size_t len_max, struct kw_buf *buf,
                              struct kw_error *err)
{
    KW_SCOPED(kw_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);

    KW_ENSURE(fd >= 0, err, CONFIG_INVALID, "file %s: %s", path, strerror(errno));
    return read_all(fd, path, len_max, buf, err);
}

bool kw_file_stamp_take(const char *path, struct kw_file_stamp *ret_stamp)
{
    struct stat info;
    bool is_there = stat(path, &info) == 0;

    *ret_stamp = (struct kw_file_stamp){0};
    if (is_there) {
        *ret_stamp = (struct kw_file_stamp){.device = info.st_dev,
                                            .inode = info.st_ino,
                                            .size = info.st_size,
                                            .changed = info.st_ctim};
    }
    return is_there;
}

bool kw_file_stamp_equal(const struct kw_file_stamp *a, const struct kw_file_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}
