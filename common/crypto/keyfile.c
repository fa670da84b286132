/* Small files, by descriptors of the directory they are in, so that a swapped link cannot mix
 * generations. */
#include "common/crypto/keyfile.h"

#include "common/base/file.h"
#include "common/base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY_RANDOM_LEN 8
#define NAME_SIZE            512

/* Reads to the end, into one byte more than the size said, so that a growing file is noticed. */
static struct kw_result read_all(int fd, const char *name, size_t size, struct kw_buf *ret_text,
                                 struct kw_error *err)
{
    size_t start = ret_text->len;

    KW_TRY(kw_buf_reserve(ret_text, size + 1, err));
    while (ret_text->len - start <= size) {
        ssize_t got = read(fd, ret_text->data + ret_text->len, size + 1 - (ret_text->len - start));

        if (got < 0 && errno == EINTR) {
            continue;
        }
        KW_ENSURE(got >= 0, err, CONFIG_INVALID, "file %s: %s", name, strerror(errno));
        if (got == 0) {
            return KW_OK;
        }
        ret_text->len += (size_t)got;
    }
    KW_FAIL(err, CONFIG_INVALID, "file %s grew while it was read", name);
}

struct kw_result kw_keyfile_read(int dir, const char *name, size_t len_max, bool private_only,
                                 struct kw_buf *ret_text, struct kw_error *err)
{
    KW_SCOPED(kw_fd_close) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    size_t start = ret_text->len;
    struct kw_result result;
    struct stat st;

    KW_ENSURE(fd >= 0 && fstat(fd, &st) == 0, err, CONFIG_INVALID, "file %s: %s", name,
              strerror(errno));
    KW_ENSURE(S_ISREG(st.st_mode), err, CONFIG_INVALID, "%s is no regular file", name);
    KW_ENSURE(!private_only || (st.st_mode & (S_IRWXG | S_IRWXO)) == 0, err, CONFIG_INVALID,
              "file %s is open to others: make it mode 0600", name);
    KW_ENSURE((size_t)st.st_size <= len_max, err, CONFIG_INVALID, "file %s is over %zu bytes", name,
              len_max);
    result = read_all(fd, name, (size_t)st.st_size, ret_text, err);
    if (!kw_ok(result)) {
        kw_wipe(ret_text->data + start, ret_text->len - start);
        ret_text->len = start;
    }
    return result;
}

static bool write_all(int fd, struct kw_bytes text)
{
    while (text.len > 0) {
        ssize_t put = write(fd, text.data, text.len);

        if (put < 0 && errno != EINTR) {
            return false;
        }
        if (put > 0) {
            text = KW_BYTES(text.data + put, text.len - (size_t)put);
        }
    }
    return true;
}

static struct kw_result write_new(int dir, const char *name, struct kw_bytes text, mode_t mode,
                                  struct kw_error *err)
{
    KW_SCOPED(kw_fd_close)
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, KW_KEYFILE_MODE_PRIVATE);

    KW_ENSURE(fd >= 0, err, SYSTEM, "create %s: %s", name, strerror(errno));
    KW_ENSURE(write_all(fd, text) && fchmod(fd, mode) == 0 && fsync(fd) == 0, err, SYSTEM,
              "write %s: %s", name, strerror(errno));
    return KW_OK;
}

/* The rename is durable when the directory that holds the name is synced. */
static bool parent_sync(int dir, const char *name)
{
    const char *slash = strrchr(name, '/');
    char parent[NAME_SIZE];
    int put = slash == NULL
                  ? snprintf(parent, sizeof(parent), ".")
                  : snprintf(parent, sizeof(parent), "%.*s", (int)(slash - name) + 1, name);
    KW_SCOPED(kw_fd_close) int fd = -1;

    if (put < 0 || (size_t)put >= sizeof(parent)) {
        errno = ENAMETOOLONG;
        return false;
    }
    fd = openat(dir, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0;
}

struct kw_result kw_keyfile_write(int dir, const char *name, struct kw_bytes text, mode_t mode,
                                  struct kw_error *err)
{
    uint8_t random[TEMPORARY_RANDOM_LEN];
    char digits[2 * TEMPORARY_RANDOM_LEN + 1];
    char temporary[NAME_SIZE];
    struct kw_result result;
    int put;

    KW_TRY(kw_random(random, sizeof(random), err));
    kw_hex(KW_BYTES_OF(random), digits);
    put = snprintf(temporary, sizeof(temporary), "%s.%s", name, digits);
    KW_ENSURE(put > 0 && (size_t)put < sizeof(temporary), err, SYSTEM, "name %s is too long", name);
    result = write_new(dir, temporary, text, mode, err);
    if (kw_ok(result) && renameat(dir, temporary, dir, name) != 0) {
        result = KW_MAKE(err, SYSTEM, "rename to %s: %s", name, strerror(errno));
    }
    if (!kw_ok(result)) {
        (void)unlinkat(dir, temporary, 0);
        return result;
    }
    KW_ENSURE(parent_sync(dir, name), err, SYSTEM, "sync of %s's directory: %s", name,
              strerror(errno));
    return KW_OK;
}
