/* Reading small files whole: configuration, certificates, descriptors. Secrets have
 * kw_secret_from_file. */
#ifndef KW_COMMON_BASE_FILE_H
#define KW_COMMON_BASE_FILE_H

#include "common/base/bytes.h"

/* Appends the content of the file at `path` to `buf`, which the caller owns.
 *
 * Thread: any; blocks on the disk.
 * Fails: CONFIG_INVALID (cannot be opened or read, or longer than `len_max`), MEMORY. `buf` is
 * unchanged then. */
struct kw_result kw_file_read(const char *path, size_t len_max, struct kw_buf *buf,
                              struct kw_error *err);

/* Closes `*fd` unless it is negative, and makes it negative: for `KW_SCOPED(kw_fd_close) int fd =
 * …`. */
void kw_fd_close(int *fd);

#endif
