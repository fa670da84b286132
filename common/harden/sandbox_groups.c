/* Groups of system calls that more than one process needs. */
#include "common/harden/sandbox.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* clang-format off */
static const char *const run_calls[] = {
    "brk", "munmap", "mremap", "madvise",                /* malloc */
    "futex", "sched_yield", "clock_nanosleep",           /* waiting */
    "getrandom", "getpid", "gettid",                     /* OpenSSL notices a fork by its process id */
    "clock_gettime", "gettimeofday", "time",             /* the vDSO answers, except where there is none */
    "rt_sigprocmask", "rt_sigreturn", "restart_syscall", /* a signal that ends a wait */
    "exit", "exit_group",
    NULL};
/* clang-format on */

/* No memory is both to be written and to be run, and nothing is made runnable that was not mapped so.
 * A file may be mapped to be run, as libraries are, and a filter of system calls cannot tell which
 * file: not one that this very process has written. */
static const struct kw_sandbox_rule run_rules[] = {
    {.call = "mmap", .argument = 2, .mask = PROT_WRITE | PROT_EXEC, .value = 0},
    {.call = "mmap", .argument = 2, .mask = PROT_WRITE | PROT_EXEC, .value = PROT_WRITE},
    {.call = "mmap", .argument = 2, .mask = PROT_WRITE | PROT_EXEC, .value = PROT_EXEC},
    {.call = "mprotect", .argument = 2, .mask = PROT_EXEC, .value = 0},
    {.call = NULL},
};

const struct kw_sandbox_group kw_sandbox_run = {
    .why = "memory, locks between threads, random bytes, the time, its own end",
    .calls = run_calls,
    .rules = run_rules,
};

/* clang-format off */
static const char *const files_calls[] = {
    "openat", "close", "read", "pread64", "write", "lseek", "fstat", "newfstatat", "getdents64", "access",
    "faccessat",
    NULL};
/* clang-format on */

/* Not among them: whose files signal whom (F_SETOWN), and leases. */
static const struct kw_sandbox_rule files_rules[] = {
    {.call = "fcntl", .argument = 1, .mask = KW_SANDBOX_INT, .value = F_GETFD},
    {.call = "fcntl", .argument = 1, .mask = KW_SANDBOX_INT, .value = F_SETFD},
    {.call = "fcntl", .argument = 1, .mask = KW_SANDBOX_INT, .value = F_GETFL},
    {.call = "fcntl", .argument = 1, .mask = KW_SANDBOX_INT, .value = F_SETFL},
    {.call = "fcntl", .argument = 1, .mask = KW_SANDBOX_INT, .value = F_SETLK},
    {.call = "fcntl", .argument = 1, .mask = KW_SANDBOX_INT, .value = F_SETLKW},
    {.call = "ioctl", .argument = 1, .mask = KW_SANDBOX_INT, .value = TCGETS}, /* stdio asks */
    {.call = NULL},
};

const struct kw_sandbox_group kw_sandbox_files = {
    .why = "opening, reading and writing what its user may; nothing is removed or renamed",
    .calls = files_calls,
    .rules = files_rules,
};

/* clang-format off */
static const char *const threads_calls[] = {
    "set_robust_list", "rseq", "sched_getaffinity", "sched_getparam", "sched_getscheduler",
    NULL};
/* clang-format on */

/* clone3 hides its flags from us; told that there is none, the C library takes clone. */
static const struct kw_sandbox_rule threads_rules[] = {
    {.call = "clone3", .refuse = ENOSYS},
    {.call = "clone", .argument = 0, .mask = CLONE_THREAD, .value = CLONE_THREAD},
    {.call = "prctl", .argument = 0, .mask = KW_SANDBOX_INT, .value = PR_SET_NAME},
    {.call = NULL},
};

const struct kw_sandbox_group kw_sandbox_threads = {
    .why = "threads of its own, and no process",
    .calls = threads_calls,
    .rules = threads_rules,
};

/* clang-format off */
static const char *const network_calls[] = {
    "connect", "accept4", "bind", "shutdown", "getsockname", "getpeername", "getsockopt", "setsockopt",
    "sendmsg", "recvmsg", "sendto", "recvfrom", "sendmmsg", "writev", "readv",
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "poll", "ppoll", "pipe2", "eventfd2",
    "uname", "sysinfo",
    NULL};
/* clang-format on */

/* Netlink, and of it this protocol alone: getaddrinfo asks which addresses there are. No Unix sockets
 * here: behind them are daemons that may do anything for their user. */
static const struct kw_sandbox_rule network_rules[] = {
    {.call = "socket", .argument = 0, .mask = KW_SANDBOX_INT, .value = AF_INET},
    {.call = "socket", .argument = 0, .mask = KW_SANDBOX_INT, .value = AF_INET6},
    {.call = "socket",
     .argument = 0,
     .mask = KW_SANDBOX_INT,
     .value = AF_NETLINK,
     .argument2 = 2,
     .mask2 = KW_SANDBOX_INT,
     .value2 = NETLINK_ROUTE},
    {.call = "ioctl", .argument = 1, .mask = KW_SANDBOX_INT, .value = FIONBIO},
    {.call = "ioctl", .argument = 1, .mask = KW_SANDBOX_INT, .value = FIONREAD},
    {.call = NULL},
};

const struct kw_sandbox_group kw_sandbox_network = {
    .why = "connections and waiting for them, names of hosts",
    .calls = network_calls,
    .rules = network_rules,
};
