/* Capsules: forged, expired, replayed, altered, for something else, and by whom it does not matter.
 */
#include "common/base/limits.h"
#include "common/rpc/arena_proto.h"
#include "keyward/v1/device_access_service.pb-c.h"
#include "tests/component/core_drill.h"
#include "tests/support/core_services.h"

#include <stdio.h>

#define HOUR_MS 3600000U
#define SERVICE_ID(region, cell, name)                                                             \
    "spiffe://" KW_MESH_TRUST_DOMAIN "/region/" region "/cell/" cell "/svc/" name

TestSuite(core_capsule, .init = drill_up, .fini = drill_down, .timeout = 120);

Test(core_capsule, a_capsule_signed_by_another_key_is_refused)
{
    struct core_ask ask = drill_access_ask();
    KW_SCOPED(kw_private_key_done) struct kw_private_key forger = {0};

    cr_assert(kw_ok(kw_private_key_generate(&forger, KW_CURVE_P256, NULL)));
    ask.seal_key = &forger;
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
}

/* Seals with what lies in a credentials directory; their copy is in the arena. */
static void seal_by(struct core_ask *ask, struct kw_credentials *credentials, const char *path)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};

    MUST(kw_credentials_load(credentials, path, err));
    MUST(kw_certificate_to_der(&credentials->leaf, &der, err));
    MUST(kw_arena_copy(drill.fx.arena, kw_buf_bytes(&der), &ask->seal_certificate, err));
    ask->seal_key = &credentials->key;
}

Test(core_capsule, a_call_without_a_capsule_is_refused)
{
    struct core_ask ask = drill_access_ask();
    static const uint8_t nothing[1] = {0};

    ask.sealed = KW_BYTES_OF(nothing);
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
}

/* Every other service of this cell, the ones that may seal elsewhere included. */
Test(core_capsule, a_capsule_signed_by_another_service_is_refused)
{
    static const char *const services[] = {"gateway", "orchestrator", "cryptocore"};

    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        struct core_ask ask = drill_access_ask();
        KW_SCOPED(kw_credentials_done) struct kw_credentials thief = {0};
        char name[64];
        char path[PATH_MAX];

        snprintf(name, sizeof(name), "region/credentials/" KW_MESH_CELL "/%s", services[i]);
        seal_by(&ask, &thief, kw_mesh_path(&drill.fx.dir, name, path));
        drill_refused(&ask, KW_E_CAPSULE_INVALID);
    }
}

/* Certified by the same CA, honest about itself or not. */
Test(core_capsule, a_capsule_by_another_cell_s_authz_is_refused)
{
    static const char *const cells[] = {"b", KW_MESH_CELL};
    KW_SCOPED(kw_credentials_done) struct kw_credentials neighbour = {0};
    char path[PATH_MAX];

    core_service_credentials(&drill.fx, SERVICE_ID(KW_MESH_REGION, "b", "authz"), "authz-b", 0,
                             HOUR_MS, path);
    for (size_t i = 0; i < 2; i++) {
        struct core_ask ask = drill_access_ask();

        kw_credentials_done(&neighbour);
        neighbour = (struct kw_credentials){0};
        seal_by(&ask, &neighbour, path);
        ask.capsule.cell = kw_bytes_str(cells[i]);
        drill_refused(&ask, KW_E_CAPSULE_INVALID);
    }
}

Test(core_capsule, a_capsule_by_an_authz_whose_certificate_has_ended_is_refused)
{
    struct core_ask ask = drill_access_ask();
    KW_SCOPED(kw_credentials_done) struct kw_credentials old = {0};
    char path[PATH_MAX];

    core_service_credentials(&drill.fx, SERVICE_ID(KW_MESH_REGION, KW_MESH_CELL, "authz"),
                             "authz-old", 120000, 60000, path);
    seal_by(&ask, &old, path);
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
}

/* So that the two above are refused for what they are, and not for how they were made. */
Test(core_capsule, a_capsule_by_a_renewed_authz_is_allowed)
{
    struct core_ask ask = drill_access_ask();
    KW_SCOPED(kw_credentials_done) struct kw_credentials renewed = {0};
    char path[PATH_MAX];

    core_service_credentials(&drill.fx, SERVICE_ID(KW_MESH_REGION, KW_MESH_CELL, "authz"),
                             "authz-new", 0, HOUR_MS, path);
    seal_by(&ask, &renewed, path);
    drill_allowed(&ask);
}

Test(core_capsule, a_capsule_of_another_cell_is_refused)
{
    struct core_ask ask = drill_access_ask();

    ask.capsule.cell = kw_bytes_str("b");
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
}

Test(core_capsule, a_capsule_of_another_region_is_refused)
{
    struct core_ask ask = drill_access_ask();

    ask.capsule.region = kw_bytes_str("elsewhere");
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
}

Test(core_capsule, a_capsule_that_would_live_longer_is_refused)
{
    struct core_ask ask = drill_access_ask();

    ask.capsule.not_after_ms += 1;
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
}

Test(core_capsule, an_expired_capsule_is_refused)
{
    struct core_ask ask = drill_access_ask();

    ask.capsule.issued_ms -= 20000;
    ask.capsule.not_after_ms = ask.capsule.issued_ms + KW_CAPSULE_LIFETIME_MS;
    drill_refused(&ask, KW_E_CAPSULE_EXPIRED);
}

Test(core_capsule, a_capsule_from_the_future_is_refused)
{
    struct core_ask ask = drill_access_ask();

    ask.capsule.issued_ms += 60000;
    ask.capsule.not_after_ms = ask.capsule.issued_ms + KW_CAPSULE_LIFETIME_MS;
    drill_refused(&ask, KW_E_CAPSULE_EXPIRED);
}

Test(core_capsule, a_capsule_works_once)
{
    struct core_ask ask = drill_access_ask();

    drill_allowed(&ask);
    drill_refused(&ask, KW_E_CAPSULE_REPLAYED);
}

Test(core_capsule, an_altered_capsule_is_refused)
{
    struct core_ask good = drill_access_ask();
    struct core_ask bad = drill_access_ask();
    uint8_t *copy;

    drill_allowed(&good);
    copy = kw_arena_alloc(drill.fx.arena, good.sealed.len);
    kw_copy(copy, good.sealed.data, good.sealed.len);
    copy[good.sealed.len / 2] ^= 1;
    bad.sealed = KW_BYTES(copy, good.sealed.len);
    drill_refused(&bad, KW_E_CAPSULE_INVALID);
}

Test(core_capsule, a_capsule_for_another_request_is_refused)
{
    struct core_ask ask = drill_access_ask();
    struct core_ask other = drill_access_ask();

    ((Keyward__V1__GetDeviceAccessRequest *)(uintptr_t)other.body)->purpose =
        (char *)(uintptr_t) "other";
    cr_assert(kw_ok(kw_arena_pack(drill.fx.arena, other.body, &ask.body_bytes, NULL)));
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
}

Test(core_capsule, a_capsule_for_another_method_is_refused)
{
    struct core_ask ask = drill_access_ask();

    ask.capsule.method = KW_METHOD_DERIVE_SESSION;
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
}
