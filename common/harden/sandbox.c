/* From groups to a filter in the kernel, by libseccomp. */
#include "common/harden/sandbox.h"

#include "common/base/bytes.h"

#include <seccomp.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
/* Leaks are looked for at the end by a clone that traces the process; reports read /proc. */
/* clang-format off */
static const char *const sanitizer_calls[] = {
    "clone", "ptrace", "wait4", "prctl", "kill", "tgkill", "getppid",
    "sigaltstack", "rt_sigaction", "mmap", "mprotect", "set_robust_list", "rseq", "prlimit64",
    "open", "stat", "readlink", "getdents", "dup2", "pipe", "pipe2", "nanosleep", "ioctl",
    NULL};
/* clang-format on */
static const struct kw_sandbox_group sanitizer = {
    .why = "what the sanitizers do behind our back",
    .calls = sanitizer_calls,
};
#endif

#ifdef KW_COVERAGE
static const char *const counter_calls[] = {"mkdir", "ftruncate", "fcntl", "prctl", "unlink", NULL};
static const struct kw_sandbox_group counters = {
    .why = "the files in which gcov counts, at exit",
    .calls = counter_calls,
};
#endif

static void filter_free(scmp_filter_ctx *filter)
{
    if (*filter != NULL) {
        seccomp_release(*filter);
    }
}

/* A call that this architecture has not is no mistake: libseccomp leaves it out. */
static struct kw_result number_find(const char *name, int *ret_number, struct kw_error *err)
{
    *ret_number = seccomp_syscall_resolve_name(name);
    KW_ENSURE(*ret_number != __NR_SCMP_ERROR, err, INTERNAL, "%s is no system call", name);
    return KW_OK;
}

static struct kw_result rule_add(scmp_filter_ctx filter, const struct kw_sandbox_rule *rule,
                                 struct kw_error *err)
{
    const uint32_t action =
        rule->refuse != 0 ? SCMP_ACT_ERRNO((uint32_t)rule->refuse) : SCMP_ACT_ALLOW;
    const struct scmp_arg_cmp when[] = {
        {rule->argument, SCMP_CMP_MASKED_EQ, rule->mask, rule->value},
        {rule->argument2, SCMP_CMP_MASKED_EQ, rule->mask2, rule->value2},
    };
    const unsigned conditions = rule->mask == 0 ? 0 : rule->mask2 == 0 ? 1 : 2;
    int number = 0;
    int rc;

    KW_TRY(number_find(rule->call, &number, err));
    rc = seccomp_rule_add_array(filter, action, number, conditions, when);
    KW_ENSURE(rc == 0, err, SYSTEM, "sandbox rule for %s: %s", rule->call, strerror(-rc));
    return KW_OK;
}

static struct kw_result group_add(scmp_filter_ctx filter, const struct kw_sandbox_group *group,
                                  struct kw_error *err)
{
    for (size_t i = 0; group->calls != NULL && group->calls[i] != NULL; i++) {
        KW_TRY(rule_add(filter, &(struct kw_sandbox_rule){.call = group->calls[i]}, err));
    }
    for (size_t i = 0; group->rules != NULL && group->rules[i].call != NULL; i++) {
        KW_TRY(rule_add(filter, &group->rules[i], err));
    }
    return KW_OK;
}

/* abort() and raise(), and no signal to anybody else. */
static struct kw_result itself_add(scmp_filter_ctx filter, struct kw_error *err)
{
    const uint64_t own = (uint64_t)getpid();

    KW_TRY(rule_add(filter,
                    &(struct kw_sandbox_rule){
                        .call = "tgkill", .argument = 0, .mask = KW_SANDBOX_INT, .value = own},
                    err));
    return rule_add(filter,
                    &(struct kw_sandbox_rule){
                        .call = "kill", .argument = 0, .mask = KW_SANDBOX_INT, .value = own},
                    err);
}

static struct kw_result build_add(scmp_filter_ctx filter, struct kw_error *err)
{
    (void)filter;
    (void)err;
#ifdef SANITIZED
    KW_TRY(group_add(filter, &sanitizer, err));
#endif
#ifdef KW_COVERAGE
    KW_TRY(group_add(filter, &counters, err));
#endif
    return KW_OK;
}

/* Foreign architectures end the process, too; the filter is of all threads; it is searched like a
 * tree. */
static struct kw_result filter_make(scmp_filter_ctx *ret_filter, struct kw_error *err)
{
    *ret_filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    KW_ENSURE(*ret_filter != NULL, err, SYSTEM, "this kernel has no seccomp");
    KW_ENSURE(seccomp_attr_set(*ret_filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
                  seccomp_attr_set(*ret_filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
                  seccomp_attr_set(*ret_filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0,
              err, SYSTEM, "seccomp of this kernel is too old");
    return KW_OK;
}

struct kw_result kw_sandbox_enter(const struct kw_sandbox_group *const *groups,
                                  struct kw_error *err)
{
    KW_SCOPED(filter_free) scmp_filter_ctx filter = NULL;
    int rc;

    KW_TRY(filter_make(&filter, err));
    for (size_t i = 0; groups[i] != NULL; i++) {
        KW_TRY(group_add(filter, groups[i], err));
    }
    KW_TRY(itself_add(filter, err));
    KW_TRY(build_add(filter, err));
    rc = seccomp_load(filter);
    KW_ENSURE(rc == 0, err, SYSTEM, "seccomp: %s", strerror(-rc));
    return KW_OK;
}
