/* Each failpoint of authz as an error: the call is refused, after a restart nothing that was
 * acknowledged is missing, and asked for again under the same request id it is done once. (As aborts
 * they are tried on processes: tests/chaos.) */
#include "common/base/failpoint.h"
#include "tests/component/authz_fixture.h"

#include <keyward/v1/key_service.pb-c.h>

static struct authz_fixture fx;
static char *device;
static struct kw_id device_id;

static void init(void)
{
    authz_fixture_init(&fx);
    device_id = authz_device(&fx, 7, &device);
}

static void done(void)
{
    authz_fixture_done(&fx);
}

TestSuite(authz_failpoints, .init = init, .fini = done, .timeout = 240);

static void arm(const char *text)
{
    REQUIRE(setenv("KEYWARD_FAILPOINTS", text, 1) == 0, "setenv");
    MUST(kw_failpoint_load(err));
}

/* A key of the device that has the number; the orchestrator says what it has written down of it. */
static enum kw_reason suspend(char *request_id, uint8_t key)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    Keyward__V1__SuspendKeyRequest body = KEYWARD__V1__SUSPEND_KEY_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_SUSPEND_KEY, .body = &body.base, .caller = &fx.officer};
    const struct kw_fact fact = {.key = {{9, key}},
                                 .kind = KW_FACT_SUSPENDED,
                                 .ref = {{8, key}},
                                 .time_ms = 1,
                                 .capsule = {{1}},
                                 .actor = kw_bytes_str("spiffe://test/operator/opr_a")};
    const struct kw_resource_ids ids = {.id = {device_id, fact.key}};
    char name[KW_RESOURCE_NAME_SIZE];

    MUST(kw_fact_encode(&fact, &record, err));
    MUST(kw_arena_copy(fx.arena, kw_buf_bytes(&record), &fx.inside.disabled, err));
    body.request_id = request_id;
    body.name = kw_resource_name(KW_RESOURCE_KEY, &ids, name);
    body.justification = (char *)(uintptr_t) "lost";
    return authz_ask(&fx, &question).reason;
}

/* Both are tried with the failpoint armed, before and after a restart, and once more without. */
static void do_both(const char *failpoint, uint8_t number)
{
    char *request_id = authz_request_id(&fx);
    struct grant_story story;

    authz_grant_story(&fx, &story, device);
    arm(failpoint);
    (void)authz_grant_ask(&fx, &story);
    arm(failpoint);
    (void)suspend(request_id, number);
    arm("");
    authz_fixture_restart(&fx);
    EVENTUALLY(&fx, authz_grant_ask(&fx, &story).reason == KW_E_NONE);
    EVENTUALLY(&fx, suspend(request_id, number) == KW_E_NONE);
    cr_assert(eq(int, authz_grant_ask(&fx, &story).reason, KW_E_NONE));
}

Test(authz_failpoints, as_errors_lose_and_double_nothing)
{
    int64_t tried = 0;

    for (int i = 0; i < KW_FP_COUNT_; i++) {
        const char *name = kw_failpoint_row((enum kw_failpoint)i)->name;
        char failpoint[64];

        if (strncmp(name, "authz.", 6) != 0) {
            continue;
        }
        (void)snprintf(failpoint, sizeof(failpoint), "%s=error", name);
        tried++;
        do_both(failpoint, (uint8_t)tried);
        cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM grants"), tried), "%s", name);
        cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM requests"), tried), "%s", name);
        cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM audit"), tried), "%s", name);
        cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM disabling_facts"), tried), "%s",
                  name);
    }
    cr_assert(lt(i64, 7, tried));
}

/* A page that failed is written later, and no number is missing. */
Test(authz_failpoints, of_the_diary_leave_no_gap)
{
    arm("authz.before_diary=error");
    (void)authz_access(&fx, device);
    authz_denials_await(&fx, 1);
    arm("authz.after_diary=error");
    (void)authz_access(&fx, device);
    authz_denials_await(&fx, 2);
    cr_assert(eq(i64, authz_number(&fx, "SELECT max(seq) FROM denials"), 2));
}
