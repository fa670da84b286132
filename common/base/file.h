/* Reading small files whole: configuration, certificates, descriptors; and whether they changed. Secrets have
 * kw_secret_from_file. */
#ifndef KW_COMMON_BASE_FILE_H
#define KW_COMMON_BASE_FILE_H

#include "common/base/bytes.h"

#include <sys/types.h>
#include <time.h>

/* Appends the content of the file at `path` to `buf`, which the caller owns.
 *
 * Thread: any; blocks on the disk.
 * Fails: CONFIG_INVALID (cannot be opened or read, or longer than `len_max`), MEMORY. `buf` is
 * unchanged then. */
struct kw_result kw_file_read(const char *path, size_t len_max, struct kw_buf *buf,
                              struct kw_error *err);

/* What a file looked like when it was read: whether it is another one by now. A link that leads elsewhere is another file;
 * so is one that other people may read, without having been written, since it may not have been read for that. */
struct kw_file_stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

/* Taken before reading, what changes in between is seen the next time. False, and all zero: there is none. */
bool kw_file_stamp_take(const char *path, struct kw_file_stamp *ret_stamp);

bool kw_file_stamp_equal(const struct kw_file_stamp *a, const struct kw_file_stamp *b);

/* Closes `*fd` unless it is negative, and makes it negative: for `KW_SCOPED(kw_fd_close) int fd =
 * …`. */
void kw_fd_close(int *fd);

#endif
