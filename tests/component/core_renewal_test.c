/* Services' certificates: renewed inward at the core, without a capsule, and for nobody else. The
 * test stands in the orchestrator's place, through which every service's request comes. */
#include "common/pki/csr.h"
#include "common/pki/renewal.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/service_renewal.h"
#include "services/cryptocore/pki_files.h"
#include "tests/support/core_fixture.h"
#include "tests/support/core_services.h"
#include "tests/support/faults.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct core_fixture fx;

static void up(void)
{
    core_fixture_init(&fx);
}

static void down(void)
{
    core_fixture_done(&fx);
}

TestSuite(core_renewal, .init = up, .fini = down, .timeout = 120);

/* A request that is right; a test spoils one thing before it is sent. */
struct renewal {
    struct kw_credentials present;
    struct kw_private_key next;
    struct kw_buf csr;
    struct kw_buf certificate;
    struct kw_signature signature;
};

static void renewal_done(struct renewal *renewal)
{
    kw_credentials_done(&renewal->present);
    kw_private_key_done(&renewal->next);
    kw_buf_done(&renewal->csr);
    kw_buf_done(&renewal->certificate);
}

static void renewal_sign(struct renewal *renewal, const struct kw_private_key *key)
{
    MUST(kw_renewal_sign(key, kw_buf_bytes(&renewal->csr), &renewal->signature, err));
}

/* With the credentials of a directory. */
static void renewal_from(struct renewal *renewal, const char *path, enum kw_curve curve)
{
    *renewal = (struct renewal){0};
    MUST(kw_credentials_load(&renewal->present, path, err));
    MUST(kw_certificate_to_der(&renewal->present.leaf, &renewal->certificate, err));
    MUST(kw_private_key_generate(&renewal->next, curve, err));
    MUST(kw_csr_build(&renewal->next, &renewal->csr, err));
    renewal_sign(renewal, &renewal->present.key);
}

static void renewal_init(struct renewal *renewal, const char *service, enum kw_curve curve)
{
    char name[64];
    char path[PATH_MAX];

    (void)snprintf(name, sizeof(name), "region/credentials/" KW_MESH_CELL "/%s", service);
    renewal_from(renewal, kw_mesh_path(&fx.dir, name, path), curve);
}

struct answer {
    enum kw_reason reason;
    bool over;
    const Keyward__Internal__V1__RenewServiceResponse *response;
};

static void on_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct answer *answer = user;
    ProtobufCMessage *message;

    (void)call;
    MUST(kw_message_unpack(&keyward__internal__v1__renew_service_response__descriptor, item.data,
                           fx.arena, &message, err));
    answer->response = (const Keyward__Internal__V1__RenewServiceResponse *)message;
}

static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    struct answer *answer = user;

    (void)call;
    (void)context;
    answer->reason = status->reason;
    answer->over = true;
}

static struct answer ask_once(const struct renewal *renewal)
{
    static const struct kw_hop_events events = {.data = on_data, .status = on_status};
    Keyward__Internal__V1__RenewServiceRequest request =
        KEYWARD__INTERNAL__V1__RENEW_SERVICE_REQUEST__INIT;
    struct kw_hop_open open = {.method = KW_METHOD_RENEW_SERVICE,
                               .deadline_ns = kw_clock_mono_ns() + PATIENCE_NS,
                               .has_item = true,
                               .end = true};
    struct answer answer = {0};
    struct kw_hop_call *call;

    request.csr = kw_field_bytes(kw_buf_bytes(&renewal->csr));
    request.certificate = kw_field_bytes(kw_buf_bytes(&renewal->certificate));
    request.signature = kw_field_bytes(kw_signature_bytes(&renewal->signature));
    MUST(kw_arena_pack(fx.arena, &request.base, &open.item.data, err));
    MUST(kw_hop_open(fx.client, &open, &events, &answer, &call, err));
    EVENTUALLY(&fx, answer.over);
    return answer;
}

static struct answer ask(const struct renewal *renewal)
{
    struct answer answer;

    do {
        faults_arm();
        answer = ask_once(renewal);
    } while (faults_again(answer.reason));
    return answer;
}

static void refused(const struct renewal *renewal, enum kw_reason expected)
{
    struct answer answer = ask(renewal);

    cr_assert_eq(answer.reason, expected, "%s", kw_reason_row(answer.reason)->name);
    cr_assert_null(answer.response);
}

Test(core_renewal, a_listed_service_gets_the_same_names_for_its_next_key)
{
    KW_SCOPED(renewal_done) struct renewal renewal;
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key issued = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key next = {0};
    struct kw_spki a;
    struct kw_spki b;
    struct answer answer;

    renewal_init(&renewal, "gateway", KW_CURVE_P256);
    answer = ask(&renewal);
    cr_assert_eq(answer.reason, KW_E_NONE, "%s", kw_reason_row(answer.reason)->name);
    MUST(kw_certificate_from_der(&leaf, kw_bytes_field(answer.response->chain->certificates[0]),
                                 err));
    MUST(kw_certificate_public_key(&leaf, &issued, err));
    MUST(kw_private_key_public(&renewal.next, &next, err));
    MUST(kw_public_key_spki(&issued, &a, err));
    MUST(kw_public_key_spki(&next, &b, err));
    cr_assert(kw_bytes_equal(kw_spki_bytes(&a), kw_spki_bytes(&b)));
    cr_assert_eq(X509_check_host(leaf.x509, "localhost", 0, 0, NULL), 1);
    cr_assert_eq(X509_check_ip_asc(leaf.x509, "127.0.0.1", 0), 1);
}

Test(core_renewal, every_service_of_the_cell_is_renewed)
{
    static const char *const services[] = {"authz", "orchestrator", "cryptocore", "replicator"};

    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        KW_SCOPED(renewal_done) struct renewal renewal;
        struct answer answer;

        renewal_init(&renewal, services[i], KW_CURVE_P256);
        answer = ask(&renewal);
        cr_expect_eq(answer.reason, KW_E_NONE, "%s: %s", services[i],
                     kw_reason_row(answer.reason)->name);
    }
}

Test(core_renewal, a_request_that_the_present_key_did_not_sign_is_refused)
{
    KW_SCOPED(renewal_done) struct renewal renewal;

    renewal_init(&renewal, "authz", KW_CURVE_P256);
    renewal_sign(&renewal, &renewal.next);
    refused(&renewal, KW_E_SIGNATURE_INVALID);
}

Test(core_renewal, another_service_s_certificate_does_not_help)
{
    KW_SCOPED(renewal_done) struct renewal renewal;
    KW_SCOPED(kw_credentials_done) struct kw_credentials gateway = {0};
    char path[PATH_MAX];

    renewal_init(&renewal, "authz", KW_CURVE_P256);
    MUST(kw_credentials_load(
        &gateway, kw_mesh_path(&fx.dir, "region/credentials/" KW_MESH_CELL "/gateway", path), err));
    renewal_sign(&renewal, &gateway.key);
    refused(&renewal, KW_E_SIGNATURE_INVALID);
}

Test(core_renewal, an_officer_s_certificate_renews_nothing)
{
    KW_SCOPED(renewal_done) struct renewal renewal;

    renewal_init(&renewal, "authz", KW_CURVE_P256);
    kw_buf_clear(&renewal.certificate);
    MUST(kw_buf_append(&renewal.certificate, kw_buf_bytes(&fx.officer.certificate), err));
    renewal_sign(&renewal, &fx.officer.key);
    refused(&renewal, KW_E_IDENTITY_INVALID);
}

Test(core_renewal, a_key_on_another_curve_is_refused)
{
    KW_SCOPED(renewal_done) struct renewal renewal;

    renewal_init(&renewal, "authz", KW_CURVE_P384);
    refused(&renewal, KW_E_ARGUMENT_INVALID);
}

/* Certified by the very CA, but not in this cell, or not on the list. */
Test(core_renewal, a_service_of_another_cell_or_not_listed_is_refused)
{
    static const struct {
        const char *id;
        const char *dir;
        enum kw_reason reason;
    } rows[] = {
        {"spiffe://" KW_MESH_TRUST_DOMAIN "/region/" KW_MESH_REGION "/cell/other/svc/authz",
         "other-cell", KW_E_IDENTITY_INVALID},
        {"spiffe://" KW_MESH_TRUST_DOMAIN "/region/" KW_MESH_REGION "/cell/" KW_MESH_CELL
         "/svc/spy",
         "unlisted", KW_E_PERMISSION_DENIED},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        KW_SCOPED(renewal_done) struct renewal renewal;
        char path[PATH_MAX];

        core_service_credentials(&fx, rows[i].id, rows[i].dir, 60000, 3600000, path);
        renewal_from(&renewal, path, KW_CURVE_P256);
        refused(&renewal, rows[i].reason);
    }
}

static void line_append(const char *name, const char *line)
{
    char path[PATH_MAX];
    FILE *file = fopen(kw_mesh_path(&fx.dir, name, path), "a");

    cr_assert_not_null(file);
    cr_assert_geq(fprintf(file, "%s\n", line), 0);
    cr_assert_eq(fclose(file), 0);
}

Test(core_renewal, a_denied_service_is_refused_without_a_restart)
{
    KW_SCOPED(renewal_done) struct renewal renewal;
    struct kw_spiffe id;
    char text[KW_SPIFFE_TEXT_SIZE];

    renewal_init(&renewal, "authz", KW_CURVE_P256);
    MUST(kw_spiffe_service(KW_MESH_TRUST_DOMAIN, KW_MESH_REGION, KW_MESH_CELL, "authz", &id, err));
    line_append("region/pki/services.deny", kw_spiffe_text(&id, text));
    refused(&renewal, KW_E_PERMISSION_DENIED);
}

static enum kw_reason pki_load(void)
{
    KW_SCOPED(kw_core_pki_done) struct kw_core_pki pki = {0};
    char path[PATH_MAX];

    return kw_core_pki_load(&pki, kw_mesh_path(&fx.dir, "region/pki", path), KW_MESH_TRUST_DOMAIN,
                            NULL)
        .reason;
}

Test(core_renewal, a_list_that_no_officer_signed_starts_no_core)
{
    cr_assert_eq(pki_load(), KW_E_NONE);
    line_append("region/pki/services.list", "spiffe://dev.keyward/region/local/cell/a/svc/evil");
    cr_assert_eq(pki_load(), KW_E_SIGNATURE_INVALID);
}

/* --- the core's own --- */

static void up_due(void)
{
    cr_assert_eq(setenv("KEYWARD_FAILPOINTS", "renewal.due=error", 1), 0);
    core_fixture_init(&fx);
}

TestSuite(core_renewal_own, .init = up_due, .fini = down, .timeout = 120);

static bool has_swapped(const char *before)
{
    char path[PATH_MAX];
    char now[PATH_MAX] = "";

    cr_assert_gt(
        readlink(kw_mesh_path(&fx.dir, "region/credentials/" KW_MESH_CELL "/cryptocore", path), now,
                 sizeof(now) - 1),
        0);
    return strcmp(before, now) != 0;
}

Test(core_renewal_own, is_renewed_while_it_runs_and_serves_on)
{
    KW_SCOPED(kw_credentials_done) struct kw_credentials after = {0};
    struct core_caller member;
    char path[PATH_MAX];

    EVENTUALLY(&fx, has_swapped("cryptocore.a"));
    MUST(kw_credentials_load(
        &after, kw_mesh_path(&fx.dir, "region/credentials/" KW_MESH_CELL "/cryptocore", path),
        err));
    core_member(&fx, KW_ROLE_PARTNER, &member);
    core_caller_done(&member);
}
