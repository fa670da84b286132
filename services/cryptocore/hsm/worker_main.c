/* keyward-hsm-worker: the process that holds the PKCS#11 module. Started by the crypto core with
 * one argument, the number of a socket; everything else, and no secret, comes over that socket.
 */
#include "common/base/log.h"
#include "common/base/secret.h"
#include "services/cryptocore/hsm/worker_serve.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define FD_MIN 3

/* Nothing of this process may be written to disk or read by another process of the same user, and
 * it does not outlive the core. The terminal's signals are the core's business. */
static struct kw_result confine(struct kw_error *err)
{
    const struct rlimit none = {0, 0};

    KW_ENSURE(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0 &&
                  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0,
              err, SYSTEM, "the worker cannot be confined: %s", strerror(errno));
    KW_ENSURE(signal(SIGPIPE, SIG_IGN) != SIG_ERR && signal(SIGINT, SIG_IGN) != SIG_ERR &&
                  signal(SIGTERM, SIG_IGN) != SIG_ERR,
              err, SYSTEM, "signals: %s", strerror(errno));
    return kw_secret_region_lock(err);
}

static int fd_argument(int argc, char **argv)
{
    char *end = NULL;
    long fd = argc == 2 ? strtol(argv[1], &end, 10) : -1;

    return fd >= FD_MIN && fd <= INT16_MAX && *end == '\0' ? (int)fd : -1;
}

int main(int argc, char **argv)
{
    int fd = fd_argument(argc, argv);
    struct kw_error err;

    kw_log_setup("hsm-worker", "", KW_LOG_INFO);
    if (fd < 0) {
        KW_LOG(ERROR, "usage: keyward-hsm-worker SOCKET-FD");
        return 2;
    }
    if (!kw_ok(confine(&err))) {
        KW_LOG(ERROR, "start failed", KW_F_ERR(&err));
        return 1;
    }
    return kw_hsm_worker_serve(fd);
}
