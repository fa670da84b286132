/* harden_probe: does, as a process that the product's own functions have hardened, what such a
 * process must not be able to do; harden_test.py starts it and looks. Built without sanitizers.
 *
 *   harden_probe hold                hardened, secrets locked; READY, then waits for the end of stdin
 *   harden_probe bare                the same, not hardened
 *   harden_probe crash|bare-crash    a wild write
 *   harden_probe lock                hardened, then secrets
 *   harden_probe wipe|leave          a key on the stack, wiped or not; says whether it is still there
 *   harden_probe nonces COUNT        draws so many, and looks for two that are the same
 *   harden_probe fork                draws in a process and its children
 *   harden_probe attempts            the names of what LIST can be asked
 *   harden_probe LIST ATTEMPT        within a sandbox (strict, vendor, edge): the call's errno
 */
#include "common/base/random.h"
#include "common/base/secret.h"
#include "common/harden/harden.h"
#include "services/cryptocore/hsm/worker_sandbox.h"
#include "services/gateway/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NONCE_LEN   16
#define FORK_DRAWS  1000
#define KEY_LEN     32
#define STACK_DEPTH 4096

static const char pattern[] = "0123456789abcdef0123456789abcdef"; /* what a key looks like here */

static int fail(const struct kw_error *err)
{
    (void)fprintf(stderr, "%s\n", err->message);
    return EXIT_FAILURE;
}

/* --- holding still --- */

static int hold(bool hardened)
{
    struct kw_secret secret = {0};
    struct kw_error err;
    char end;

    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* whoever started us as another user took it away */
    if (hardened && !kw_ok(kw_harden(&err))) {
        return fail(&err);
    }
    if (!kw_ok(kw_secret_copy(&secret, kw_bytes_str(pattern), &err))) {
        return fail(&err);
    }
    (void)printf("READY %p\n", (void *)secret.slot);
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &end, 1) > 0) {
    }
    kw_secret_done(&secret);
    return EXIT_SUCCESS;
}

static int crash(bool hardened)
{
    struct kw_error err;
    volatile int *volatile wild = NULL;

    if (hardened && !kw_ok(kw_harden(&err))) {
        return fail(&err);
    }
    *wild = 1;
    return EXIT_SUCCESS;
}

static int lock(void)
{
    struct kw_error err;

    if (!kw_ok(kw_harden(&err)) || !kw_ok(kw_secret_region_lock(&err))) {
        return fail(&err);
    }
    return EXIT_SUCCESS;
}

/* --- what a compiler may think is of no use --- */

static __attribute__((noinline)) void use_key(bool wiped)
{
    uint8_t key[KEY_LEN];

    kw_copy(key, pattern, sizeof(key));
    __asm__ volatile("" : : "r"(key) : "memory");
    if (wiped) {
        kw_wipe(key, sizeof(key));
    }
}

/* Reads what the frame of use_key has left below this one. */
static __attribute__((noinline)) bool key_is_left(void)
{
    uint8_t below[STACK_DEPTH];

    __asm__ volatile("" : "=m"(below));
    return memmem(below, sizeof(below), pattern, KEY_LEN) != NULL;
}

static int wipe(bool wiped)
{
    use_key(wiped);
    (void)puts(key_is_left() ? "there" : "gone");
    return EXIT_SUCCESS;
}

/* --- randomness --- */

static int compare_nonces(const void *a, const void *b)
{
    return memcmp(a, b, NONCE_LEN);
}

static bool all_differ(uint8_t *nonces, size_t count)
{
    qsort(nonces, count, NONCE_LEN, compare_nonces);
    for (size_t i = 1; i < count; i++) {
        if (compare_nonces(nonces + (i - 1) * NONCE_LEN, nonces + i * NONCE_LEN) == 0) {
            return false;
        }
    }
    return true;
}

static bool draw(uint8_t *nonces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!kw_ok(kw_random(nonces + i * NONCE_LEN, NONCE_LEN, NULL))) {
            return false;
        }
    }
    return true;
}

static int nonces(size_t count)
{
    uint8_t *all = calloc(count, NONCE_LEN);
    bool good = all != NULL && draw(all, count) && all_differ(all, count);

    free(all);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Parent and two children, after the parent has drawn already. */
static int draw_after_fork(void)
{
    const size_t share = (size_t)FORK_DRAWS * NONCE_LEN;
    uint8_t *all = mmap(NULL, 4 * share, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (all == MAP_FAILED || !draw(all, FORK_DRAWS)) {
        return EXIT_FAILURE;
    }
    for (size_t child = 1; child <= 2; child++) {
        if (fork() == 0) {
            _exit(draw(all + child * share, FORK_DRAWS) ? EXIT_SUCCESS : EXIT_FAILURE);
        }
    }
    if (!draw(all + 3 * share, FORK_DRAWS)) {
        return EXIT_FAILURE;
    }
    while (wait(NULL) > 0) {
    }
    return all_differ(all, (size_t)4 * FORK_DRAWS) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- within a sandbox --- */

static long try_execve(void)
{
    char *const args[] = {(char *)(uintptr_t) "true", NULL};

    return execve("/bin/true", args, NULL);
}

static long try_fork(void)
{
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);

    if (pid == 0) {
        _exit(EXIT_SUCCESS);
    }
    return pid;
}

static long try_vfork(void)
{
    pid_t pid = vfork(); /* NOLINT: the point */

    if (pid == 0) {
        _exit(EXIT_SUCCESS);
    }
    return pid;
}

static long try_clone3(void)
{
    return syscall(SYS_clone3, NULL, 0);
}

static long try_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long try_process_vm_readv(void)
{
    return process_vm_readv(getppid(), NULL, 0, NULL, 0, 0);
}

static long try_kill_parent(void)
{
    return kill(1, 0);
}

static long try_kill_itself(void)
{
    return kill(getpid(), 0);
}

static long try_setuid(void)
{
    return setuid(0);
}

static long try_mount(void)
{
    return syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL);
}

static long try_bpf(void)
{
    return syscall(SYS_bpf, 0, NULL, 0);
}

static long try_perf(void)
{
    struct perf_event_attr attr = {0};

    return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static long try_keyctl(void)
{
    return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0);
}

static long try_io_uring(void)
{
    return syscall(SYS_io_uring_setup, 1, NULL);
}

static long try_userfaultfd(void)
{
    return syscall(SYS_userfaultfd, 0);
}

static long try_unshare(void)
{
    return unshare(CLONE_NEWUSER);
}

static long try_be_dumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long socket_of(int family, int type)
{
    return socket(family, type | SOCK_CLOEXEC, 0);
}

static long try_inet(void)
{
    return socket_of(AF_INET, SOCK_STREAM);
}

static long try_inet6(void)
{
    return socket_of(AF_INET6, SOCK_DGRAM);
}

static long try_unix(void)
{
    return socket_of(AF_UNIX, SOCK_DGRAM);
}

static long try_packet(void)
{
    return socket_of(AF_PACKET, SOCK_RAW);
}

static long try_alg(void)
{
    return socket_of(AF_ALG, SOCK_SEQPACKET);
}

static long try_vsock(void)
{
    return socket_of(AF_VSOCK, SOCK_STREAM);
}

static long try_netlink_route(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

static long try_netlink_uevent(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
}

static long try_netlink_audit(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
}

/* Three ways to have the kernel send another process a signal. */
static long try_own(void)
{
    return fcntl(STDIN_FILENO, F_SETOWN, getppid());
}

static long try_own_by_ioctl(void)
{
    int pid = getppid();

    return ioctl(STDIN_FILENO, FIOSETOWN, &pid);
}

static long try_own_group_by_ioctl(void)
{
    int pid = getppid();

    return ioctl(STDIN_FILENO, SIOCSPGRP, &pid);
}

static long try_set_signal(void)
{
    return fcntl(STDIN_FILENO, F_SETSIG, SIGKILL);
}

static long try_duplicate(void)
{
    return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
}

static long try_device_ioctl(void)
{
    return ioctl(STDIN_FILENO, 0xc0de8901U, 0); /* as the forbidden one, with a bit more */
}

static long try_limit_of_parent(void)
{
    const struct rlimit limit = {.rlim_cur = 16, .rlim_max = 16};

    return prlimit(getppid(), RLIMIT_NOFILE, &limit, NULL);
}

static long try_slow_parent(void)
{
    const struct sched_param param = {0};

    return sched_setscheduler(getppid(), SCHED_IDLE, &param);
}

static long try_slow_itself(void)
{
    const struct sched_param param = {0};

    return sched_setscheduler(0, SCHED_IDLE, &param);
}

static long try_listen(void)
{
    return listen(STDIN_FILENO, 1);
}

static long try_unlink(void)
{
    return unlink("/nonexistent/file");
}

static long try_rename(void)
{
    return rename("/nonexistent/a", "/nonexistent/b");
}

static long try_chmod(void)
{
    return chmod("/nonexistent/file", 0777);
}

static long try_mkdirat(void)
{
    return mkdirat(AT_FDCWD, "/nonexistent/dir", 0700);
}

static long try_limit_ask(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit);
}

static long try_limit_set(void)
{
    const struct rlimit limit = {.rlim_cur = 16, .rlim_max = 16};

    return setrlimit(RLIMIT_NOFILE, &limit);
}

static long try_map_to_write_and_run(void)
{
    return mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                   MAP_FAILED
               ? -1
               : 0;
}

static long try_make_runnable(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static long try_read_file(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static long try_malloc(void)
{
    void *block = malloc(1U << 20);
    long ret = block != NULL ? 0 : -1;

    free(block);
    return ret;
}

static long try_random(void)
{
    uint8_t byte;

    return kw_ok(kw_random(&byte, 1, NULL)) ? 0 : -1;
}

static long try_abort(void)
{
    abort();
}

struct attempt {
    const char *name;
    long (*try)(void);
};

#define ATTEMPT(name)                                                                              \
    {                                                                                              \
#name, try_##name                                                                          \
    }

static const struct attempt attempts[] = {
    ATTEMPT(execve),        ATTEMPT(fork),
    ATTEMPT(vfork),         ATTEMPT(clone3),
    ATTEMPT(ptrace),        ATTEMPT(process_vm_readv),
    ATTEMPT(setuid),        ATTEMPT(kill_parent),
    ATTEMPT(mount),         ATTEMPT(bpf),
    ATTEMPT(perf),          ATTEMPT(keyctl),
    ATTEMPT(io_uring),      ATTEMPT(userfaultfd),
    ATTEMPT(unshare),       ATTEMPT(be_dumpable),
    ATTEMPT(packet),        ATTEMPT(alg),
    ATTEMPT(vsock),         ATTEMPT(inet),
    ATTEMPT(inet6),         ATTEMPT(unix),
    ATTEMPT(listen),        ATTEMPT(unlink),
    ATTEMPT(rename),        ATTEMPT(chmod),
    ATTEMPT(mkdirat),       ATTEMPT(map_to_write_and_run),
    ATTEMPT(read_file),     ATTEMPT(make_runnable),
    ATTEMPT(malloc),        ATTEMPT(random),
    ATTEMPT(abort),         ATTEMPT(kill_itself),
    ATTEMPT(limit_ask),     ATTEMPT(limit_set),
    ATTEMPT(netlink_route), ATTEMPT(netlink_uevent),
    ATTEMPT(netlink_audit), ATTEMPT(own),
    ATTEMPT(own_by_ioctl),  ATTEMPT(own_group_by_ioctl),
    ATTEMPT(set_signal),    ATTEMPT(duplicate),
    ATTEMPT(device_ioctl),  ATTEMPT(limit_of_parent),
    ATTEMPT(slow_parent),   ATTEMPT(slow_itself),
};
#define ATTEMPT_COUNT (sizeof(attempts) / sizeof(attempts[0]))

static struct kw_result confine(const char *list, struct kw_error *err)
{
    enum kw_hsm_sandbox mode = KW_HSM_SANDBOX_STRICT;

    KW_TRY(kw_harden(err));
    if (strcmp(list, "edge") == 0) {
        return kw_gateway_confine("strict", NULL, err);
    }
    KW_TRY(kw_hsm_sandbox_parse(list, &mode, err));
    return kw_hsm_worker_confine(mode, err);
}

static int attempt(const char *list, const char *name)
{
    struct kw_error err;

    if (!kw_ok(confine(list, &err))) {
        return fail(&err);
    }
    for (size_t i = 0; i < ATTEMPT_COUNT; i++) {
        if (strcmp(attempts[i].name, name) == 0) {
            long got = attempts[i].try();

            (void)printf("%s\n", got < 0 ? strerrorname_np(errno) : "done");
            return EXIT_SUCCESS;
        }
    }
    return EXIT_FAILURE;
}

static int list_attempts(void)
{
    for (size_t i = 0; i < ATTEMPT_COUNT; i++) {
        (void)puts(attempts[i].name);
    }
    return EXIT_SUCCESS;
}

static int alone(const char *what)
{
    const bool hardened = strncmp(what, "bare", 4) != 0;

    if (strcmp(what, "hold") == 0 || strcmp(what, "bare") == 0) {
        return hold(hardened);
    }
    if (strcmp(what, "crash") == 0 || strcmp(what, "bare-crash") == 0) {
        return crash(hardened);
    }
    if (strcmp(what, "wipe") == 0 || strcmp(what, "leave") == 0) {
        return wipe(strcmp(what, "wipe") == 0);
    }
    if (strcmp(what, "lock") == 0) {
        return lock();
    }
    if (strcmp(what, "fork") == 0) {
        return draw_after_fork();
    }
    return strcmp(what, "attempts") == 0 ? list_attempts() : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "nonces") == 0) {
        return nonces(strtoul(argv[2], NULL, 10));
    }
    if (argc == 3) {
        return attempt(argv[1], argv[2]);
    }
    return argc == 2 ? alone(argv[1]) : EXIT_FAILURE;
}
