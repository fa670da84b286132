/* Authz without space: grants are refused, what was revoked stays revoked, reads go on, no denial's
 * number is lost, and nothing is started anew. On a disk that is nearly full revocations are still
 * taken. */
#include "tests/component/authz_fixture.h"
#include "tests/support/crash_vfs.h"
#include "tests/support/small_disk.h"

#include <keyward/v1/grant_service.pb-c.h>

#define WHOLE_DISK (64U << 20)
#define LEFT       (8U << 20) /* less than the store's reserve */

static struct authz_fixture fx;
static struct small_disk disk;
static char *device;
static const struct crash_disk_options no_cuts = {.seed = 1, .sector_size = 4096};

static void start(void)
{
    authz_fixture_init(&fx);
    (void)authz_device(&fx, 7, &device);
}

static void start_on_faulty_disk(void)
{
    crash_vfs_install();
    crash_disk_reset(&no_cuts);
    start();
}

static void done(void)
{
    if (fx.loop != NULL) {
        authz_fixture_done(&fx);
    }
    small_disk_done(&disk);
}

TestSuite(authz_full, .fini = done, .timeout = 120);

static enum kw_reason read_grant(char *name)
{
    Keyward__V1__GetGrantRequest request = KEYWARD__V1__GET_GRANT_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_GET_GRANT, .body = &request.base, .caller = &fx.officer};

    request.name = name;
    return authz_ask(&fx, &question).reason;
}

Test(authz_full, a_grant_is_refused_and_can_be_made_when_there_is_room)
{
    struct grant_story story;
    char *revoked = NULL;

    start_on_faulty_disk();
    revoked = authz_grant(&fx, device);
    cr_assert(eq(int, authz_grant_revoke(&fx, revoked).reason, KW_E_NONE));
    authz_grant_story(&fx, &story, device);
    crash_vfs_fail(CRASH_FAULT_FULL, 1, true);
    cr_assert(eq(int, authz_grant_ask(&fx, &story).reason, KW_E_STORE_FULL));
    cr_assert(eq(int, read_grant(revoked), KW_E_NONE));
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NOT_FOUND)); /* it stays revoked */
    crash_vfs_fail(CRASH_FAULT_NONE, 0, false);
    EVENTUALLY(&fx, authz_grant_ask(&fx, &story).reason == KW_E_NONE);
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM grants"), 2));
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    cr_assert(not(fx.failed));
}

Test(authz_full, denials_wait_for_room_and_none_is_missing)
{
    start_on_faulty_disk();
    (void)authz_access(&fx, device);
    authz_denials_await(&fx, 1);
    crash_vfs_fail(CRASH_FAULT_FULL, 1, true);
    for (int i = 0; i < 3; i++) {
        cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NOT_FOUND));
    }
    EVENTUALLY(&fx, crash_vfs_has_failed()); /* the page was tried */
    (void)authz_access(&fx, device);
    crash_vfs_fail(CRASH_FAULT_NONE, 0, false);
    authz_denials_await(&fx, 5);
    cr_assert(eq(i64, authz_number(&fx, "SELECT max(seq) FROM denials"), 5));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(DISTINCT seq) FROM denials"), 5));
}

/* Whoever is denied could fill what is kept for revocations. */
Test(authz_full, denials_leave_the_last_of_the_disk_to_revocations)
{
    char *grant;

    small_disk_over_tmp(&disk, WHOLE_DISK);
    start();
    grant = authz_grant(&fx, device);
    small_disk_fill(&disk, LEFT);
    EVENTUALLY(&fx, read_grant(grant) != KW_E_NONE || !kw_ok(kw_store_room(fx.authz->store, NULL)));
    cr_assert(eq(int, authz_grant_revoke(&fx, grant).reason, KW_E_NONE));
    for (int i = 0; i < 3; i++) {
        cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NOT_FOUND));
    }
    EVENTUALLY(&fx, fx.authz->diary.held_back);
    cr_assert(eq(sz, fx.authz->diary.waiting_count, 3));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM denials"), 0));
    cr_assert(eq(int, authz_partner_suspend(&fx, &fx.partner).reason, KW_E_NONE));
    small_disk_empty(&disk);
    authz_denials_await(&fx, 3);
    cr_assert(eq(i64, authz_number(&fx, "SELECT max(seq) FROM denials"), 3));
}

Test(authz_full, revocations_are_taken_while_the_disk_is_nearly_full)
{
    struct grant_story story;
    char *grant;

    small_disk_over_tmp(&disk, WHOLE_DISK);
    start();
    grant = authz_grant(&fx, device);
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    small_disk_fill(&disk, LEFT);
    authz_grant_story(&fx, &story, device);
    EVENTUALLY(&fx, read_grant(grant) != KW_E_NONE || !kw_ok(kw_store_room(fx.authz->store, NULL)));
    cr_assert(eq(int, authz_grant_ask(&fx, &story).reason, KW_E_STORE_FULL));
    cr_assert(eq(int, authz_grant_revoke(&fx, grant).reason, KW_E_NONE));
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NOT_FOUND));
    cr_assert(eq(int, authz_partner_suspend(&fx, &fx.partner).reason, KW_E_NONE));
    small_disk_empty(&disk);
    EVENTUALLY(&fx, authz_grant_ask(&fx, &story).reason == KW_E_NONE);
}
