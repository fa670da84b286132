/* Limits, prctl and capabilities. The capability calls have no wrapper in the C library. */
#include "common/harden/harden.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PRIVATE_UMASK 077

/* As many 32-bit words as capabilities version 3 has. */
struct capability_sets {
    struct __user_cap_data_struct word[_LINUX_CAPABILITY_U32S_3];
};

struct kw_result kw_harden_privacy(struct kw_error *err)
{
    const struct rlimit none = {0, 0};

    KW_ENSURE(setrlimit(RLIMIT_CORE, &none) == 0, err, SYSTEM, "no core files: %s",
              strerror(errno));
    KW_ENSURE(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, err, SYSTEM, "not dumpable: %s",
              strerror(errno));
    KW_ENSURE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, err, SYSTEM, "no new privileges: %s",
              strerror(errno));
    return KW_OK;
}

/* The bounding set is what a program run as root would gain. Only who may set it has reason to: an
 * ordinary user's programs gain nothing, by PR_SET_NO_NEW_PRIVS. */
static struct kw_result bounding_drop(struct kw_error *err)
{
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++) {
        KW_ENSURE(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0, err, SYSTEM,
                  "capability %d cannot be dropped: %s", capability, strerror(errno));
    }
    return KW_OK;
}

static struct kw_result capabilities_drop(struct kw_error *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct capability_sets sets = {0};

    KW_ENSURE(syscall(SYS_capget, &header, sets.word) == 0, err, SYSTEM, "capget: %s",
              strerror(errno));
    if ((sets.word[CAP_TO_INDEX(CAP_SETPCAP)].effective & CAP_TO_MASK(CAP_SETPCAP)) != 0) {
        KW_TRY(bounding_drop(err));
    }
    KW_ENSURE(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0, err, SYSTEM,
              "ambient capabilities: %s", strerror(errno));
    sets = (struct capability_sets){0};
    KW_ENSURE(syscall(SYS_capset, &header, sets.word) == 0, err, SYSTEM, "capset: %s",
              strerror(errno));
    return KW_OK;
}

struct kw_result kw_harden(struct kw_error *err)
{
    KW_TRY(kw_harden_privacy(err));
    (void)umask(PRIVATE_UMASK);
    return capabilities_drop(err);
}
