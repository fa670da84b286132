/* Secrets in one mlocked, no-dump mapping cut into equal slots. */
#include "common/base/secret.h"

#include "common/base/file.h"
#include "common/base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_LEN_MAX (KW_SECRET_LEN_MAX + 4) /* a few trailing newlines */

/* The region is shared by all threads; the mutex protects `slots` and `taken` and is held for a few
 * instructions only. A slot that is not taken is all zero. */
static pthread_mutex_t region_mutex = PTHREAD_MUTEX_INITIALIZER;
static uint8_t *slots;
static bool taken[KW_SECRET_COUNT_MAX];
static size_t next_slot;

static struct kw_result region_map(struct kw_error *err)
{
    size_t size = (size_t)KW_SECRET_COUNT_MAX * KW_SECRET_LEN_MAX;
    void *map;

    if (slots != NULL) {
        return KW_OK;
    }
    map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    KW_ENSURE(map != MAP_FAILED, err, SYSTEM, "map of secrets: %s", strerror(errno));
    /* Not mlock(): under a sanitizer that does nothing, and says that it did. */
    if (syscall(SYS_mlock, map, size) != 0 || madvise(map, size, MADV_DONTDUMP) != 0 ||
        madvise(map, size, MADV_WIPEONFORK) != 0) {
        int reason = errno;

        (void)munmap(map, size);
        KW_FAIL(err, SYSTEM, "lock of %zu bytes for secrets: %s", size, strerror(reason));
    }
    slots = map;
    return KW_OK;
}

struct kw_result kw_secret_region_lock(struct kw_error *err)
{
    struct kw_result result;

    (void)pthread_mutex_lock(&region_mutex);
    result = region_map(err);
    (void)pthread_mutex_unlock(&region_mutex);
    return result;
}

/* Searches from where the last search ended: slots are short-lived, so the next one is nearly
 * always free. */
static struct kw_result slot_take(uint8_t **ret_slot, struct kw_error *err)
{
    KW_TRY(region_map(err));
    for (size_t n = 0; n < KW_SECRET_COUNT_MAX; n++) {
        size_t i = (next_slot + n) % KW_SECRET_COUNT_MAX;

        if (!taken[i]) {
            taken[i] = true;
            next_slot = i + 1;
            *ret_slot = slots + i * KW_SECRET_LEN_MAX;
            return KW_OK;
        }
    }
    KW_FAIL(err, LIMIT_REACHED, "all %d secrets are in use", KW_SECRET_COUNT_MAX);
}

struct kw_result kw_secret_init(struct kw_secret *secret, size_t len, struct kw_error *err)
{
    uint8_t *slot = NULL;
    struct kw_result result;

    KW_ENSURE(len <= KW_SECRET_LEN_MAX, err, ARGUMENT_INVALID, "secret of %zu bytes", len);
    (void)pthread_mutex_lock(&region_mutex);
    result = slot_take(&slot, err);
    (void)pthread_mutex_unlock(&region_mutex);
    KW_TRY(result);
    *secret = (struct kw_secret){.slot = slot, .len = len};
    return KW_OK;
}

struct kw_result kw_secret_copy(struct kw_secret *secret, struct kw_bytes bytes,
                                struct kw_error *err)
{
    KW_TRY(kw_secret_init(secret, bytes.len, err));
    kw_copy(secret->slot, bytes.data, bytes.len);
    return KW_OK;
}

void kw_secret_done(struct kw_secret *secret)
{
    if (secret == NULL || secret->slot == NULL) {
        return;
    }
    kw_wipe(secret->slot, KW_SECRET_LEN_MAX);
    (void)pthread_mutex_lock(&region_mutex);
    taken[(size_t)(secret->slot - slots) / KW_SECRET_LEN_MAX] = false;
    (void)pthread_mutex_unlock(&region_mutex);
    *secret = (struct kw_secret){0};
}

struct kw_result kw_secret_from_file(struct kw_secret *secret, const char *path,
                                     struct kw_error *err)
{
    KW_SCOPED(kw_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    uint8_t text[FILE_LEN_MAX + 1];
    ssize_t got;
    struct kw_result result;

    KW_ENSURE(fd >= 0 && fstat(fd, &st) == 0, err, CONFIG_INVALID, "secret file %s: %s", path,
              strerror(errno));
    KW_ENSURE((st.st_mode & (S_IRWXG | S_IRWXO)) == 0, err, CONFIG_INVALID,
              "secret file %s is open to others: make it mode 0600", path);
    got = read(fd, text, sizeof(text));
    /* A full buffer means that there may be more: cutting newlines off it would pass for the whole.
     */
    if (got > FILE_LEN_MAX) {
        got = -1;
    }
    while (got > 0 && (text[got - 1] == '\n' || text[got - 1] == '\r')) {
        got--;
    }
    if (got <= 0 || got > KW_SECRET_LEN_MAX) {
        kw_wipe(text, sizeof(text));
        KW_FAIL(err, CONFIG_INVALID, "secret file %s: empty, unreadable or over %d bytes", path,
                KW_SECRET_LEN_MAX);
    }
    result = kw_secret_copy(secret, KW_BYTES(text, (size_t)got), err);
    kw_wipe(text, sizeof(text));
    return result;
}
