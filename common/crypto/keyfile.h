/* Small files with keys and certificates: read whole and with a limit, written so that a reader
 * sees the old or the new and never a part. */
#ifndef KW_COMMON_CRYPTO_KEYFILE_H
#define KW_COMMON_CRYPTO_KEYFILE_H

#include "common/base/bytes.h"

#include <sys/types.h>

#define KW_KEYFILE_MODE_PRIVATE 0600
#define KW_KEYFILE_MODE_PUBLIC  0644

/* Appends the whole file `name` (relative to `dir`, or AT_FDCWD) to `ret_text`. With `private_only`
 * the file must not be open to group or others. Blocks. Fails: CONFIG_INVALID (missing, no regular
 * file, open to others, over `len_max`), MEMORY. */
struct kw_result kw_keyfile_read(int dir, const char *name, size_t len_max, bool private_only,
                                 struct kw_buf *ret_text, struct kw_error *err);

/* Writes, syncs, renames into place and syncs the directory; `mode` is set whatever the umask.
 * Blocks. Fails: SYSTEM; then the file is as it was. */
struct kw_result kw_keyfile_write(int dir, const char *name, struct kw_bytes text, mode_t mode,
                                  struct kw_error *err);

#endif
