/* A token after its ceremony, with the test on the side of those who keep the recovery key. */
#include "tests/component/hsm_fixture.h"

#include "common/base/clock.h"
#include "common/crypto/cmac.h"
#include "common/crypto/ecdh.h"
#include "common/crypto/keywrap.h"
#include "common/pki/cms.h"
#include "tests/support/faults.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>

#define DAY_MS 86400000U

#define OK(expr)                                                                                   \
    do {                                                                                           \
        struct kw_error err = {0};                                                                 \
        struct kw_error *errp = &err;                                                              \
        struct kw_result ok_result_ = (expr);                                                      \
        cr_assert(kw_ok(ok_result_), "%s (%s:%d)", err.message, err.file ? err.file : "",          \
                  err.line);                                                                       \
        (void)errp;                                                                                \
    } while (0)

struct kw_id hsm_test_id(uint8_t value)
{
    struct kw_id id;

    memset(id.bytes, value, sizeof(id.bytes));
    return id;
}

/* KWB1: magic 4 ‖ fingerprint 32 ‖ ephemeral 97 ‖ count u16 ‖ {label str ‖ wrapped 40 ‖ check 3}.
 */
static void blob_open(struct hsm_fixture *f)
{
    struct kw_reader r = KW_READER(kw_buf_bytes(&f->made.blob));
    KW_SCOPED(kw_secret_done) struct kw_secret agreed = {0};
    struct kw_bytes ephemeral;
    char label[64];

    cr_assert(kw_bytes_equal(kw_get_raw(&r, 4), kw_bytes_str("KWB1")));
    (void)kw_get_raw(&r, 32);
    ephemeral = kw_get_raw(&r, KW_P384_POINT_LEN);
    OK(kw_ecdh_receive(&f->recovery, ephemeral, kw_bytes_str("KEYWARD-KEEP-v1"), 32, &agreed,
                       errp));
    cr_assert(kw_get_u16(&r) == 2);
    kw_get_str(&r, label, sizeof(label));
    cr_assert_str_eq(label, "keyward-kek-v1");
    OK(kw_kwp_unwrap(&agreed, kw_get_raw(&r, 40), &f->kek, errp));
    (void)kw_get_raw(&r, 3);
    kw_get_str(&r, label, sizeof(label));
    cr_assert_str_eq(label, "keyward-mac-v1");
    OK(kw_kwp_unwrap(&agreed, kw_get_raw(&r, 40), &f->mac_key, errp));
    (void)kw_get_raw(&r, 3);
    OK(kw_reader_end(&r, "blob", errp));
}

static void ceremony_hold(struct hsm_fixture *f)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key recovery = {0};
    struct kw_hsm_token token = softhsm_token(&f->softhsm);
    struct kw_spki spki;

    OK(kw_private_key_generate(&f->recovery, KW_CURVE_P384, errp));
    OK(kw_private_key_public(&f->recovery, &recovery, errp));
    OK(kw_public_key_spki(&recovery, &spki, errp));
    OK(kw_hsm_ceremony_new(&token, &f->ceremony, errp));
    OK(kw_hsm_ceremony_make(f->ceremony, kw_spki_bytes(&spki), &f->made, errp));
    blob_open(f);
}

static void certificates_make(struct hsm_fixture *f)
{
    uint64_t now = kw_clock_wall_ms() / 1000 * 1000; /* certificates carry whole seconds */
    struct kw_validity years = {now - DAY_MS, now + 100ULL * DAY_MS};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    char id[KW_ID_TEXT_SIZE];
    char spiffe[128];
    struct kw_spki spki;
    struct kw_hsm_answer answer;
    struct kw_hsm_request request = {.op = KW_HSM_ISSUE_CERTIFICATE};

    OK(kw_hsm_ceremony_root(f->ceremony, "test root", &years, &f->root, errp));
    OK(kw_hsm_ceremony_ca(f->ceremony,
                          &(struct kw_hsm_ca){.signer = KW_HSM_CA_PARTNERS,
                                              .name = "test partners",
                                              .region = "r",
                                              .validity = years},
                          kw_buf_bytes(&f->root), &f->ca_partners, errp));
    OK(kw_private_key_generate(&f->transport, KW_CURVE_P384, errp));
    OK(kw_private_key_public(&f->transport, &public, errp));
    OK(kw_public_key_spki(&public, &spki, errp));
    (void)snprintf(spiffe, sizeof(spiffe), "spiffe://test/partner/%s",
                   kw_id_text(KW_ID_PARTNER, f->partner, id));
    request.issue = (struct kw_hsm_issue){
        .issuer = KW_HSM_CA_PARTNERS,
        .issuer_certificate = kw_buf_bytes(&f->ca_partners),
        .spki = kw_spki_bytes(&spki),
        .spiffe_id = spiffe,
        .validity = {now - 1000, now + DAY_MS},
        .usage = KW_USAGE_TRANSPORT,
    };
    cr_assert(hsm_run(f, &request, &answer) == KW_E_NONE);
    OK(kw_buf_append(&f->transport_cert, answer.certificate, errp));
}

static void ptk_make(struct hsm_fixture *f)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate recipient = {0};
    struct kw_hsm_answer answer;
    struct kw_hsm_request request = {
        .op = KW_HSM_PTK_CREATE,
        .ptk_create = {.owner = f->partner,
                       .version = 1,
                       .kek_version = 1,
                       .certificate = kw_buf_bytes(&f->transport_cert)},
    };

    cr_assert(hsm_run(f, &request, &answer) == KW_E_NONE, "%s", answer.error.message);
    f->ptk = answer.ptk.stored;
    OK(kw_certificate_from_der(&recipient, kw_buf_bytes(&f->transport_cert), errp));
    OK(kw_cms_open(answer.ptk.enveloped, &f->transport, &recipient, &f->ptk_value, errp));
}

void hsm_fixture_init(struct hsm_fixture *f)
{
    (void)signal(SIGPIPE, SIG_IGN); /* as services do: a worker may be gone when it is written to */
    *f = (struct hsm_fixture){.partner = hsm_test_id(0xaa)};
    softhsm_init(&f->softhsm);
    ceremony_hold(f);
    certificates_make(f);
    ptk_make(f);
}

void hsm_fixture_done(struct hsm_fixture *f)
{
    kw_hsm_ceremony_free(f->ceremony);
    kw_hsm_keys_made_done(&f->made);
    kw_private_key_done(&f->recovery);
    kw_private_key_done(&f->transport);
    kw_secret_done(&f->kek);
    kw_secret_done(&f->mac_key);
    kw_secret_done(&f->ptk_value);
    kw_buf_done(&f->root);
    kw_buf_done(&f->ca_partners);
    kw_buf_done(&f->transport_cert);
    softhsm_done(&f->softhsm);
}

enum kw_reason hsm_run(struct hsm_fixture *f, const struct kw_hsm_request *request,
                       struct kw_hsm_answer *ret_answer)
{
    struct kw_hsm_answer answer;
    struct kw_result result;

    do {
        faults_arm();
        result = kw_hsm_ceremony_run(f->ceremony, request, &answer, NULL);
    } while (faults_again(result.reason));
    if (ret_answer != NULL) {
        *ret_answer = answer;
    }
    return result.reason;
}

void hsm_device(struct hsm_fixture *f, struct kw_key_binding *ret_stored,
                struct kw_secret *ret_value)
{
    struct kw_hsm_new_key key = {hsm_test_id(1), hsm_test_id(2), hsm_test_id(3), hsm_test_id(4)};
    struct kw_hsm_answer answer;
    struct kw_hsm_request request = {
        .op = KW_HSM_GENERATE,
        .generate = {.kek_version = 1, .station = f->ptk, .keys = &key, .count = 1},
    };

    cr_assert(hsm_run(f, &request, &answer) == KW_E_NONE, "%s", answer.error.message);
    *ret_stored = answer.generated.items[0].stored;
    OK(kw_kwp_unwrap(&f->kek, KW_BYTES_OF(ret_stored->wrapped), ret_value, errp));
}

void hsm_reseal(const struct hsm_fixture *f, struct kw_key_binding *binding)
{
    uint8_t input[KW_KEY_BINDING_INPUT_LEN];
    struct kw_bytes part = KW_BYTES_OF(input);

    OK(kw_key_binding_input(binding, input, errp));
    OK(kw_cmac_aes256(&f->mac_key, &part, 1, binding->mac, errp));
}

struct kw_hsm_request hsm_release(struct hsm_fixture *f, const struct kw_key_binding *device,
                                  struct kw_hsm_fact *fact)
{
    struct kw_bytes parts[] = {kw_bytes_str("KEYWARD-FACT-v1"), kw_bytes_str(HSM_TEST_FACT)};

    fact->content = kw_bytes_str(HSM_TEST_FACT);
    OK(kw_cmac_aes256(&f->mac_key, parts, 2, fact->mac, errp));
    return (struct kw_hsm_request){
        .op = KW_HSM_DERIVE,
        .derive = {.kind = KW_HSM_RELEASE,
                   .device = *device,
                   .transport = f->ptk,
                   .partner = f->partner,
                   .epoch = 7,
                   .suite = 1,
                   .facts = fact,
                   .fact_count = 1,
                   .envelope = kw_bytes_str("an envelope")},
    };
}
