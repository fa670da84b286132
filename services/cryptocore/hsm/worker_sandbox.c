/* What a worker may ask of the kernel. Observed with SoftHSM over the whole suite; the vendor's list
 * is what network modules and those with a device driver commonly need, and has been run with
 * SoftHSM alone. */
#include "services/cryptocore/hsm/worker_sandbox.h"

#include "common/harden/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/socket.h>

static const char *const login_calls[] = {"flock", "pwrite64", "fsync", "ftruncate", NULL};

static const struct kw_sandbox_group login = {
    .why = "the lock of logins, and the record in it; SoftHSM writes its token's flags at a login",
    .calls = login_calls,
};

/* SoftHSM opens the system's log as it starts. A worker connects to nobody. It may still write any
 * file that its user may, so that the user must be one with few files, and not root. */
static const struct kw_sandbox_rule no_syslog_rules[] = {
    {.call = "socket", .refuse = EACCES, .argument = 0, .mask = KW_SANDBOX_INT, .value = AF_UNIX},
    {.call = NULL},
};

static const struct kw_sandbox_group no_syslog = {
    .why = "no socket: openlog is refused, any other family ends the worker",
    .rules = no_syslog_rules,
};

/* clang-format off */
static const char *const vendor_calls[] = {
    /* memory: modules map and lock some of their own, and some make code */
    "mmap", "mprotect", "mlock", "munlock", "mlockall", "membarrier", "memfd_create",
    /* files: settings, logs, a daemon's sockets, devices */
    "open", "stat", "lstat", "statx", "statfs", "fstatfs", "readlink", "readlinkat", "getcwd", "mkdir", "mkdirat",
    "unlink", "unlinkat", "rename", "renameat", "fdatasync", "chmod", "fchmod", "dup", "dup2", "dup3",
    /* waiting and time */
    "nanosleep", "select", "pselect6", "pause", "timerfd_create", "timerfd_settime", "socketpair", "eventfd", "pipe",
    "inotify_init1", "inotify_add_watch", "inotify_rm_watch", "epoll_create", "alarm", "setitimer", "getitimer",
    "times", "getrusage",
    /* asking who and where */
    "getuid", "geteuid", "getgid", "getegid", "getgroups", "getppid", "getrlimit", "getcpu", "umask",
    "sched_get_priority_max", "sched_get_priority_min",
    "set_tid_address", "listen", "accept",
    /* signals to its own threads */
    "rt_sigaction", "sigaltstack", "rt_sigpending", "rt_sigtimedwait", "rt_sigsuspend",
    /* shared memory and semaphores by which its processes meet */
    "shmget", "shmat", "shmdt", "shmctl", "semget", "semop", "semtimedop", "semctl",
    NULL};
/* clang-format on */

/* Devices have ioctls of their own. Four are not allowed, 0x8900 to 0x8903: FIOSETOWN and SIOCSPGRP say
 * whom a file signals. A request is another one when any other bit of it differs. */
#define NOT_OWNER_BIT(bit)                                                                         \
    {                                                                                              \
        .call = "ioctl", .argument = 1, .mask = 1U << (bit), .value = ~0x8900U & 1U << (bit)       \
    }

/* Of itself alone: the limits, and the scheduling of the thread that asks. */
static const struct kw_sandbox_rule vendor_rules[] = {
    {.call = "prlimit64", .argument = 0, .mask = KW_SANDBOX_INT, .value = 0},
    {.call = "sched_setaffinity", .argument = 0, .mask = KW_SANDBOX_INT, .value = 0},
    {.call = "sched_setscheduler", .argument = 0, .mask = KW_SANDBOX_INT, .value = 0},
    {.call = "sched_setparam", .argument = 0, .mask = KW_SANDBOX_INT, .value = 0},
    {.call = "fcntl", .argument = 1, .mask = KW_SANDBOX_INT, .value = F_DUPFD},
    {.call = "fcntl", .argument = 1, .mask = KW_SANDBOX_INT, .value = F_DUPFD_CLOEXEC},
    {.call = "fcntl", .argument = 1, .mask = KW_SANDBOX_INT, .value = F_GETLK},
    {.call = "fcntl", .argument = 1, .mask = KW_SANDBOX_INT, .value = F_OFD_SETLK},
    {.call = "fcntl", .argument = 1, .mask = KW_SANDBOX_INT, .value = F_OFD_SETLKW},
    {.call = "socket", .argument = 0, .mask = KW_SANDBOX_INT, .value = AF_UNIX},
    {.call = "socket",
     .argument = 0,
     .mask = KW_SANDBOX_INT,
     .value = AF_NETLINK,
     .argument2 = 2,
     .mask2 = KW_SANDBOX_INT,
     .value2 = NETLINK_KOBJECT_UEVENT}, /* libusb */
    NOT_OWNER_BIT(2),
    NOT_OWNER_BIT(3),
    NOT_OWNER_BIT(4),
    NOT_OWNER_BIT(5),
    NOT_OWNER_BIT(6),
    NOT_OWNER_BIT(7),
    NOT_OWNER_BIT(8),
    NOT_OWNER_BIT(9),
    NOT_OWNER_BIT(10),
    NOT_OWNER_BIT(11),
    NOT_OWNER_BIT(12),
    NOT_OWNER_BIT(13),
    NOT_OWNER_BIT(14),
    NOT_OWNER_BIT(15),
    NOT_OWNER_BIT(16),
    NOT_OWNER_BIT(17),
    NOT_OWNER_BIT(18),
    NOT_OWNER_BIT(19),
    NOT_OWNER_BIT(20),
    NOT_OWNER_BIT(21),
    NOT_OWNER_BIT(22),
    NOT_OWNER_BIT(23),
    NOT_OWNER_BIT(24),
    NOT_OWNER_BIT(25),
    NOT_OWNER_BIT(26),
    NOT_OWNER_BIT(27),
    NOT_OWNER_BIT(28),
    NOT_OWNER_BIT(29),
    NOT_OWNER_BIT(30),
    NOT_OWNER_BIT(31),
    {.call = NULL},
};

static const struct kw_sandbox_group vendor = {
    .why = "what modules do that reach for an HSM; no program, no tracing, no signal to another "
           "process",
    .calls = vendor_calls,
    .rules = vendor_rules,
};

static const struct kw_sandbox_group *const strict_groups[] = {&kw_sandbox_run, &kw_sandbox_files,
                                                               &login, &no_syslog, NULL};

static const struct kw_sandbox_group *const vendor_groups[] = {
    &kw_sandbox_run,     &kw_sandbox_files, &login, &kw_sandbox_threads,
    &kw_sandbox_network, &vendor,           NULL};

struct kw_result kw_hsm_worker_confine(enum kw_hsm_sandbox mode, struct kw_error *err)
{
    switch (mode) {
    case KW_HSM_SANDBOX_STRICT:
        return kw_sandbox_enter(strict_groups, err);
    case KW_HSM_SANDBOX_VENDOR:
        return kw_sandbox_enter(vendor_groups, err);
    case KW_HSM_SANDBOX_OFF:
        break;
    }
    return KW_OK;
}
