/* Login under a lock: tokens fail simultaneous logins now and then, and lock after a few wrong
 * PINs.
 *
 * The PIN goes from its file into a secret and from there to C_Login. libp11 could log in too, but
 * keeps a copy of the PIN on the heap for as long as the token is open.
 */
#include "services/cryptocore/hsm/login.h"

#include "common/base/log.h"
#include "common/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_SIZE   64
#define RECORD_SIZE 96

/* What is known of a PIN file: a record in the lock file, written before an attempt. All words are
 * of one length, so that a record takes the place of another one on a full disk, too. */
enum standing {
    ALLOWED, /* the latest attempt was no wrong one */
    TRYING,  /* an attempt is under way, or ended unseen or unclearly */
    TRYING_AGAIN,
    REFUSED,
};

static const char *const words[] = {
    [ALLOWED] = "allowed", [TRYING] = "trying1", [TRYING_AGAIN] = "trying2", [REFUSED] = "refused"};

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
    (void)snprintf(ret_mark->text, sizeof(ret_mark->text), "%llu %lld.%09ld",
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

static void record_make(char record[RECORD_SIZE], enum standing standing, const struct mark *mark)
{
    (void)snprintf(record, RECORD_SIZE, "%s %s\n", words[standing], mark->text);
}

/* A record of another PIN file says nothing of this one. */
static enum standing standing_read(int lock, const struct mark *mark)
{
    char kept[RECORD_SIZE] = {0};
    char record[RECORD_SIZE];

    if (pread(lock, kept, sizeof(kept) - 1, 0) <= 0) {
        return ALLOWED;
    }
    for (enum standing s = TRYING; s <= REFUSED; s++) {
        record_make(record, s, mark);
        if (strncmp(kept, record, strlen(record)) == 0) {
            return s;
        }
    }
    return ALLOWED;
}

/* Over what is there, never by way of an empty file. */
static struct kw_result standing_keep(int lock, enum standing standing, const struct mark *mark,
                                      struct kw_error *err)
{
    char record[RECORD_SIZE];
    size_t len;

    record_make(record, standing, mark);
    len = strlen(record);
    KW_ENSURE(pwrite(lock, record, len, 0) == (ssize_t)len && fsync(lock) == 0, err, SYSTEM,
              "no login: an attempt cannot be remembered: %s", strerror(errno));
    return KW_OK;
}

static CK_RV login_once(struct kw_hsm_session *session, const struct kw_secret *pin)
{
    CK_RV rv = session->module->functions->C_Login(session->handle, CKU_USER, pin->slot, pin->len);

    return rv == CKR_USER_ALREADY_LOGGED_IN ? CKR_OK : rv;
}

/* Some modules say these two of a wrong PIN. */
static bool is_unclear(CK_RV rv)
{
    return rv == CKR_GENERAL_ERROR || rv == CKR_FUNCTION_FAILED;
}

/* One attempt. `standing` comes in as it was before and leaves as it is now. A code that we can't
 * read may have been counted by the token. */
static struct kw_result attempt(struct kw_hsm_session *session, const struct kw_secret *pin,
                                enum standing *standing, struct kw_error *err)
{
    CK_RV rv = login_once(session, pin);
    struct kw_result result = kw_hsm_session_result(session, KW_C_Login, rv, err);

    if (rv != CKR_OK && session->fault == KW_HSM_CLASS_DATA) {
        session->fault = KW_HSM_CLASS_LOGIN;
        result = KW_MAKE(err, HSM_LOGIN_REFUSED, "the HSM did not say why it refused the login");
    }
    if (kw_ok(result)) {
        session->fault = KW_HSM_CLASS_NONE;
        *standing = ALLOWED;
    } else if (session->fault == KW_HSM_CLASS_LOGIN) {
        *standing = REFUSED;
    } else if (is_unclear(rv)) {
        *standing += 1;
    }
    return result;
}

/* The attempt is on record before it is made, and what is on record stays when its end cannot be
 * written: that costs an attempt, and never gains one. */
static struct kw_result attempt_on_record(struct kw_hsm_session *session, int lock,
                                          const struct mark *mark, struct kw_error *err)
{
    KW_SCOPED(kw_secret_done) struct kw_secret pin = {0};
    enum standing standing = standing_read(lock, mark);
    struct kw_result result;
    struct kw_error unkept;

    if (standing >= TRYING_AGAIN) {
        session->fault = KW_HSM_CLASS_LOGIN;
        KW_FAIL(err, HSM_LOGIN_REFUSED, "the PIN of %s was %s before",
                session->module->settings.pin_path,
                standing == REFUSED ? "refused" : "tried twice without a clear answer");
    }
    KW_TRY(kw_secret_from_file(&pin, session->module->settings.pin_path, err));
    KW_TRY(standing_keep(lock, standing + 1, mark, err));
    result = attempt(session, &pin, &standing, err);
    if (!kw_ok(standing_keep(lock, standing, mark, &unkept))) {
        KW_LOG(WARN, "the end of a login is not on record", KW_F_ERR(&unkept));
    }
    return result;
}

/* Whoever can't even try has no use of this session: until the token says otherwise, the fault is
 * one that only another process can repair. */
struct kw_result kw_hsm_login(struct kw_hsm_session *session, struct kw_error *err)
{
    const struct kw_hsm_token_settings *settings = &session->module->settings;
    KW_SCOPED(fd_close) int lock = -1;
    struct mark mark;

    session->fault = KW_HSM_CLASS_DEVICE;
    KW_TRY(lock_take(settings->lock_path, &lock, err));
    KW_TRY(pin_mark(settings->pin_path, &mark, err));
    return attempt_on_record(session, lock, &mark, err);
}
