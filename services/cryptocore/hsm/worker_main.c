/* keyward-hsm-worker: the process that holds the PKCS#11 module. Started by the crypto core with
 * two arguments, the number of a socket and how tightly it is held; everything else, and no secret,
 * comes over that socket.
 */
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/harden/harden.h"
#include "services/cryptocore/hsm/worker_sandbox.h"
#include "services/cryptocore/hsm/worker_serve.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define FD_MIN 3

/* The worker does not outlive the core. The terminal's signals are the core's business. The sandbox
 * comes last, and before the module: what a module does as it loads is held, too. */
static struct kw_result confine(const char *sandbox, struct kw_error *err)
{
    enum kw_hsm_sandbox mode = KW_HSM_SANDBOX_STRICT;

    KW_TRY(kw_hsm_sandbox_parse(sandbox, &mode, err));
    KW_TRY(kw_harden(err));
    KW_ENSURE(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0, err, SYSTEM,
              "the worker would outlive the core: %s", strerror(errno));
    KW_ENSURE(signal(SIGPIPE, SIG_IGN) != SIG_ERR && signal(SIGINT, SIG_IGN) != SIG_ERR &&
                  signal(SIGTERM, SIG_IGN) != SIG_ERR,
              err, SYSTEM, "signals: %s", strerror(errno));
    KW_TRY(kw_secret_region_lock(err));
    return kw_hsm_worker_confine(mode, err);
}

static int fd_argument(int argc, char **argv)
{
    char *end = NULL;
    long fd = argc == 3 ? strtol(argv[1], &end, 10) : -1;

    return fd >= FD_MIN && fd <= INT16_MAX && *end == '\0' ? (int)fd : -1;
}

int main(int argc, char **argv)
{
    int fd = fd_argument(argc, argv);
    struct kw_error err;

    kw_log_setup("hsm-worker", "", KW_LOG_INFO);
    if (fd < 0) {
        KW_LOG(ERROR, "usage: keyward-hsm-worker SOCKET-FD strict|vendor|off");
        return 2;
    }
    if (!kw_ok(confine(argv[2], &err))) {
        KW_LOG(ERROR, "start failed", KW_F_ERR(&err));
        return 1;
    }
    return kw_hsm_worker_serve(fd);
}
