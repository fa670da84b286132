/* What whoever started this process confines it by. */
#include "services/cryptocore/confinement.h"

#include "common/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static struct kw_result limit_look(struct kw_confinement *confinement, struct kw_error *err)
{
    struct rlimit limit;

    KW_ENSURE(getrlimit(RLIMIT_MEMLOCK, &limit) == 0, err, SYSTEM, "limit of locked memory: %s",
              strerror(errno));
    if (limit.rlim_cur == RLIM_INFINITY) {
        (void)snprintf(confinement->locked_memory, KW_CONFINEMENT_TEXT_SIZE, "unlimited");
    } else {
        (void)snprintf(confinement->locked_memory, KW_CONFINEMENT_TEXT_SIZE, "%" PRIu64,
                       (uint64_t)limit.rlim_cur);
    }
    return KW_OK;
}

/* A filter that refuses this very question is one, too. A kernel without seccomp has none. */
static bool is_filtered(void)
{
    int mode = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);

    return mode > 0 || (mode < 0 && errno != EINVAL);
}

struct kw_result kw_confinement_look(struct kw_confinement *confinement, struct kw_error *err)
{
    KW_TRY(limit_look(confinement, err));
    confinement->filtered = is_filtered();
    KW_LOG(INFO, "this process is confined",
           KW_F_STR("seccomp", confinement->filtered ? "filter" : "none"),
           KW_F_STR("locked_memory", confinement->locked_memory));
    return KW_OK;
}
