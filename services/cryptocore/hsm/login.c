/* Login under a lock: tokens fail simultaneous logins now and then, and lock after a few wrong
 * PINs.
 *
 * The PIN goes from its file into a secret and from there to C_Login. libp11 could log in too, but
 * keeps a copy of the PIN on the heap for as long as the token is open.
 */
#include "services/cryptocore/hsm/login.h"

#include "common/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_SIZE 96

/* Names the PIN file as it is now: another file, or a later version of it, has another mark. */
struct mark {
    char text[MARK_SIZE];
};

static void fd_close(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd); /* also unlocks */
    }
}

static struct kw_result pin_mark(const char *pin_path, struct mark *ret_mark, struct kw_error *err)
{
    struct stat st;

    KW_ENSURE(stat(pin_path, &st) == 0, err, CONFIG_INVALID, "PIN file %s: %s", pin_path,
              strerror(errno));
    (void)snprintf(ret_mark->text, sizeof(ret_mark->text), "refused %llu %lld.%09ld\n",
                   (unsigned long long)st.st_ino, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    return KW_OK;
}

static struct kw_result lock_take(const char *path, int *ret_fd, struct kw_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int rc;

    KW_ENSURE(fd >= 0, err, CONFIG_INVALID, "lock file %s: %s", path, strerror(errno));
    *ret_fd = fd;
    do {
        rc = flock(fd, LOCK_EX);
    } while (rc != 0 && errno == EINTR);
    KW_ENSURE(rc == 0, err, SYSTEM, "lock of %s: %s", path, strerror(errno));
    return KW_OK;
}

/* Was this very PIN file refused before? */
static bool refused_before(int lock, const struct mark *mark)
{
    struct mark kept = {{0}};
    ssize_t got = pread(lock, kept.text, sizeof(kept.text) - 1, 0);

    return got > 0 && strcmp(kept.text, mark->text) == 0;
}

static struct kw_result refusal_keep(int lock, const struct mark *mark, struct kw_error *err)
{
    size_t len = strlen(mark->text);

    KW_ENSURE(ftruncate(lock, 0) == 0 && pwrite(lock, mark->text, len, 0) == (ssize_t)len &&
                  fsync(lock) == 0,
              err, SYSTEM, "the refused PIN cannot be remembered: %s", strerror(errno));
    return KW_OK;
}

static CK_RV login_once(struct kw_hsm_session *session, const struct kw_secret *pin)
{
    CK_RV rv = session->module->functions->C_Login(session->handle, CKU_USER, pin->slot, pin->len);

    return rv == CKR_USER_ALREADY_LOGGED_IN ? CKR_OK : rv;
}

struct kw_result kw_hsm_login(struct kw_hsm_session *session, struct kw_error *err)
{
    const struct kw_hsm_token_settings *settings = &session->module->settings;
    KW_SCOPED(fd_close) int lock = -1;
    KW_SCOPED(kw_secret_done) struct kw_secret pin = {0};
    struct kw_result result;
    struct mark mark;

    KW_TRY(lock_take(settings->lock_path, &lock, err));
    KW_TRY(pin_mark(settings->pin_path, &mark, err));
    KW_ENSURE(!refused_before(lock, &mark), err, HSM_LOGIN_REFUSED,
              "the PIN of %s was refused before", settings->pin_path);
    KW_TRY(kw_secret_from_file(&pin, settings->pin_path, err));
    result = kw_hsm_session_result(session, KW_C_Login, login_once(session, &pin), err);
    if (session->fault == KW_HSM_CLASS_DATA) { /* a code that we can't read may have been counted */
        session->fault = KW_HSM_CLASS_LOGIN;
        result = KW_MAKE(err, HSM_LOGIN_REFUSED, "the HSM did not say why it refused the login");
    }
    if (result.reason == KW_E_HSM_LOGIN_REFUSED) {
        KW_TRY(refusal_keep(lock, &mark, err));
    }
    return result;
}
