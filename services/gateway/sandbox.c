/* What a gateway may ask of the kernel: connections, files, threads, and its own next certificate.
 * No program, no process, no other listener. */
#include "services/gateway/sandbox.h"

#include "common/base/log.h"
#include "common/harden/sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* clang-format off */
static const char *const renewal_calls[] = {
    "mkdirat", "renameat", "symlinkat", "unlinkat", "fsync", "fchmod", "readlinkat", "readlink",
    NULL};
/* clang-format on */

static const struct kw_sandbox_group renewal = {
    .why = "a renewed certificate is written beside the present one and put in its place",
    .calls = renewal_calls,
};

/* Asking, not setting: there is no new limit in the third argument. */
static const struct kw_sandbox_rule limit_rules[] = {
    {.call = "prlimit64", .argument = 2, .mask = UINT64_MAX, .value = 0},
    {.call = NULL},
};

static const struct kw_sandbox_group limits = {
    .why = "how many descriptors there are: the last are not for connections",
    .rules = limit_rules,
};

/* getaddrinfo asks nscd, which it does without. */
static const struct kw_sandbox_rule no_unix_rules[] = {
    {.call = "socket", .refuse = EACCES, .argument = 0, .mask = KW_SANDBOX_INT, .value = AF_UNIX},
    {.call = NULL},
};

static const struct kw_sandbox_group no_unix = {
    .why = "no daemon of this machine is spoken to",
    .rules = no_unix_rules,
};

/* The kernel's filter sees no path: who gives Redis one opens every socket of this user. */
static const struct kw_sandbox_rule unix_rules[] = {
    {.call = "socket", .argument = 0, .mask = KW_SANDBOX_INT, .value = AF_UNIX},
    {.call = NULL},
};

static const struct kw_sandbox_group redis_by_path = {
    .why = "Redis is at a path, and is connected to anew whenever it was lost",
    .rules = unix_rules,
};

static bool is_path(const char *address)
{
    return address != NULL && address[0] == '/';
}

struct kw_result kw_gateway_confine(const char *setting, const char *redis, struct kw_error *err)
{
    const struct kw_sandbox_group *const groups[] = {&kw_sandbox_run,
                                                     &kw_sandbox_files,
                                                     &kw_sandbox_threads,
                                                     &kw_sandbox_network,
                                                     is_path(redis) ? &redis_by_path : &no_unix,
                                                     &renewal,
                                                     &limits,
                                                     NULL};

    if (strcmp(setting, "off") == 0) {
        KW_LOG(WARN, "the gateway may make any system call: sandbox is off");
        return KW_OK;
    }
    KW_ENSURE(strcmp(setting, "strict") == 0, err, CONFIG_INVALID,
              "sandbox %s: expected strict or off", setting);
    return kw_sandbox_enter(groups, err);
}
