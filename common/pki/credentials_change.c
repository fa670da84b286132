/* Changing a part of a generation: the present one is read and the next written under a lock, so that who renews a
 * certificate and who brings other CAs don't undo one another. */
#include "common/pki/credentials.h"

#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Held until `fd` is closed. */
static struct kw_result lock_take(const char *path, int *ret_fd, struct kw_error *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char name[PATH_MAX];
    int len = snprintf(name, sizeof(name), "%s.lock", path);
    int rc;

    KW_ENSURE(len > 0 && len < PATH_MAX, err, CONFIG_INVALID, "credentials path of %d bytes", len);
    *ret_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    KW_ENSURE(*ret_fd >= 0, err, SYSTEM, "lock %s: %s", name, strerror(errno));
    do {
        rc = fcntl(*ret_fd, F_SETLKW, &lock);
    } while (rc != 0 && errno == EINTR);
    KW_ENSURE(rc == 0, err, SYSTEM, "lock %s: %s", name, strerror(errno));
    return KW_OK;
}

static struct kw_bytes other_than(struct kw_bytes given, const struct kw_buf *present)
{
    return given.len > 0 ? given : kw_buf_bytes(present);
}

static struct kw_result change(const char *path, const struct kw_credentials_pem *given,
                               struct kw_error *err)
{
    KW_SCOPED(kw_fd_close) int lock = -1;
    KW_SCOPED(kw_credentials_done) struct kw_credentials present = {0};
    struct kw_credentials_pem next;

    KW_TRY(lock_take(path, &lock, err));
    KW_TRY(kw_credentials_load(&present, path, err));
    next = (struct kw_credentials_pem){.key = other_than(given->key, &present.key_pem),
                                       .cert = other_than(given->cert, &present.cert_pem),
                                       .ca = other_than(given->ca, &present.ca_pem)};
    return kw_credentials_write(path, &next, err);
}

struct kw_result kw_credentials_renew(const char *path, struct kw_bytes key, struct kw_bytes cert,
                                      struct kw_error *err)
{
    return change(path, &(struct kw_credentials_pem){.key = key, .cert = cert}, err);
}

struct kw_result kw_credentials_trust(const char *path, struct kw_bytes ca, struct kw_error *err)
{
    return change(path, &(struct kw_credentials_pem){.ca = ca}, err);
}
