/* Parts of the core by themselves: second locks, and ends of room, which no request through all of it comes to. */
#include "common/pki/csr.h"
#include "keyward/v1/partner_service.pb-c.h"
#include "services/cryptocore/issue.h"
#include "services/cryptocore/operations.h"
#include "services/cryptocore/renew_service.h"
#include "tests/support/faults.h"
#include "tests/support/must.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static struct kw_core core;
static struct kw_core_call call;

static void up(void)
{
    core = (struct kw_core){.in_flight = 1};
    call = (struct kw_core_call){.core = &core, .arena = kw_arena_new(KW_REQUEST_ARENA_MAX)};
    keyward__internal__v1__core_reply__init(&call.reply);
}

static void down(void)
{
    kw_arena_free(call.arena);
}

TestSuite(core_parts, .init = up, .fini = down, .timeout = 60);

Test(core_parts, a_reply_has_two_chains_at_most)
{
    const struct kw_bytes certificate = kw_bytes_str("certificate");

    MUST(kw_issue_chain(&call, KW_HSM_CA_PARTNERS, certificate, err));
    MUST(kw_issue_chain(&call, KW_HSM_CA_PARTNERS, certificate, err));
    cr_assert(eq(int, kw_issue_chain(&call, KW_HSM_CA_PARTNERS, certificate, NULL).reason,
                 KW_E_LIMIT_REACHED));
    cr_assert(eq(sz, call.reply.n_certificates, 2));
}

/* Before anything is signed: a certificate that no transport key can be sent to is of no use. */
Test(core_parts, a_transport_key_is_on_p384)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf csr = {0};
    const struct kw_core_config config = {.trust_domain = "keyward.test"};
    struct kw_hsm_issue issue;

    core.config = &config;
    MUST(kw_private_key_generate(&key, KW_CURVE_P256, err));
    MUST(kw_csr_build(&key, &csr, err));
    MUST(kw_issue_plan(&call, KW_HSM_CA_PARTNERS, KW_ROLE_PARTNER, (struct kw_id){{1}},
                       kw_buf_bytes(&csr), 1000, KW_USAGE_CLIENT, &issue, err));
    cr_assert(eq(int,
                 kw_issue_plan(&call, KW_HSM_CA_PARTNERS, KW_ROLE_PARTNER, (struct kw_id){{1}},
                               kw_buf_bytes(&csr), 1000, KW_USAGE_TRANSPORT, &issue, NULL)
                     .reason,
                 KW_E_ARGUMENT_INVALID));
}

/* Admission asks the table of methods; this is what stands behind it. */
Test(core_parts, nobody_but_an_operator_invites)
{
    Keyward__V1__CreatePartnerInvitationRequest body =
        KEYWARD__V1__CREATE_PARTNER_INVITATION_REQUEST__INIT;

    call.method = kw_method_by_id(KW_METHOD_CREATE_PARTNER_INVITATION);
    call.body = &body.base;
    call.actor = KW_ACTOR_PARTNER;
    cr_assert(eq(int, kw_core_invite_prepare(&call, NULL).reason, KW_E_PERMISSION_DENIED));
    cr_assert(eq(sz, call.request_count, 0));
    call.actor = KW_ACTOR_OPERATOR;
    cr_assert(eq(int, kw_core_invite_prepare(&call, NULL).reason, KW_E_ARGUMENT_INVALID),
              "the name, which is empty");
}

Test(core_parts, a_list_in_too_long_a_path_denies_nothing_and_allows_nothing)
{
    char dir[PATH_MAX];
    bool denied;

    memset(dir, 'a', sizeof(dir));
    dir[PATH_MAX - 1] = '\0';
    cr_assert(eq(int, kw_core_pki_denies(dir, "spiffe://a/b", &denied, NULL).reason,
                 KW_E_CONFIG_INVALID));
}

/* Whatever fails in asking for the core's own certificate, nothing is left under way. */
Test(core_parts, the_core_s_own_renewal_may_fail_anywhere)
{
    enum kw_reason reason;
    unsigned failed = 0;
    bool fired;

    do {
        faults_arm_at("services/cryptocore/renew_service.c");
        reason = kw_core_renew_own(NULL, KW_BYTES_NONE, &core, NULL).reason;
        fired = faults_disarm();
        failed += fired ? 1 : 0;
        cr_assert(reason != KW_E_NONE);
        cr_assert(eq(sz, core.in_flight, 1), "%s", kw_fault_plan()->last);
    } while (fired);
    cr_assert(eq(int, reason, KW_E_ARGUMENT_INVALID), "no certificate");
#ifdef KW_FAULTS_PLANTED
    cr_assert(ge(u32, failed, 4));
#else
    cr_assert(eq(u32, failed, 0));
#endif
}

/* --- what the process finds itself confined by: each test is a process of its own --- */

static struct kw_confinement confinement_now(void)
{
    struct kw_confinement confinement = {0};

    MUST(kw_confinement_look(&confinement, err));
    return confinement;
}

Test(core_parts, the_limit_of_locked_memory_is_told)
{
    struct rlimit limit = {65536, 65536};

    REQUIRE(setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "limit");
    cr_assert_str_eq(confinement_now().locked_memory, "65536");
}

Test(core_parts, no_limit_of_locked_memory_is_told)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) {
        cr_skip_test("only root raises this limit");
    }
    cr_assert_str_eq(confinement_now().locked_memory, "unlimited");
}

/* Filters for good: answers this call by `action`, lets everything else pass. */
static void filter_install(long call_number, uint32_t action)
{
    struct sock_filter rows[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call_number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(rows) / sizeof(rows[0]), .filter = rows};

    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
    REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0, "filter");
}

Test(core_parts, a_filter_of_system_calls_is_told)
{
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0) {
        cr_assert(not(confinement_now().filtered));
    }
    filter_install(SYS_acct, SECCOMP_RET_ERRNO | EPERM);
    errno = EINVAL; /* of an earlier call, which means nothing */
    cr_assert(confinement_now().filtered);
}

Test(core_parts, a_filter_that_answers_no_question_is_told)
{
    filter_install(SYS_prctl, SECCOMP_RET_ERRNO | EPERM);
    cr_assert(confinement_now().filtered);
}
