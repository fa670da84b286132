/* The token and the request: as keyward-cryptocore makes them, with one device key and one partner.
 */
#include "bench/hsm_load.h"
#include "common/audit/envelope.h"
#include "common/base/clock.h"
#include "common/crypto/key.h"
#include "common/lifecycle/fact.h"
#include "services/cryptocore/hsm/ceremony.h"
#include "services/cryptocore/hsm/fresh_token.h"
#include "services/cryptocore/hsm/worker_protocol.h"

#include <stdio.h>
#include <stdlib.h>

#define DAY_MS      86400000ULL
#define LIFE_DAYS   100
#define PARTNER_URI "spiffe://bench/partner/prt_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define STATION_URI "spiffe://bench/station/stn_aaaaaaaaaaaaaaaaaaaaaaaaaa"

struct make {
    struct kw_hsm_ceremony *ceremony;
    struct kw_validity validity;
    struct kw_buf root; /* DER */
    struct kw_buf ca;
    struct kw_buf transport_cert;
    struct kw_id partner;
    struct kw_id device;
    struct kw_hsm_fact facts[KW_HSM_FACTS_MAX];
    struct kw_buf fact_records[KW_HSM_FACTS_MAX];
    struct kw_buf envelope;
};

static void must(struct kw_result result, const struct kw_error *err)
{
    bench_require(kw_ok(result), err->message);
}

static struct kw_id new_id(void)
{
    struct kw_error err;
    struct kw_id id;

    must(kw_id_random(&id, &err), &err);
    return id;
}

static void run(struct make *make, const struct kw_hsm_request *request,
                struct kw_hsm_answer *ret_answer)
{
    struct kw_error err;

    must(kw_hsm_ceremony_run(make->ceremony, request, ret_answer, &err), &err);
}

static struct kw_spki new_spki(void)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key private_key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public_key = {0};
    struct kw_spki spki;
    struct kw_error err;

    must(kw_private_key_generate(&private_key, KW_CURVE_P384, &err), &err);
    must(kw_private_key_public(&private_key, &public_key, &err), &err);
    must(kw_public_key_spki(&public_key, &spki, &err), &err);
    return spki;
}

static void ceremony_hold(struct make *make, const char *dir)
{
    char pin[PATH_MAX];
    char so_pin[PATH_MAX];
    char lock[PATH_MAX];
    const struct kw_hsm_token token = {.provider = "softhsm",
                                       .module_path = HSM_LOAD_MODULE,
                                       .token_label = HSM_LOAD_TOKEN,
                                       .pin_path = hsm_load_path(dir, "pin", pin),
                                       .lock_path = hsm_load_path(dir, "lock", lock)};
    KW_SCOPED(kw_hsm_keys_made_done) struct kw_hsm_keys_made made = {0};
    struct kw_spki recovery = new_spki();
    struct kw_error err;

    must(kw_hsm_fresh_token(HSM_LOAD_MODULE, HSM_LOAD_TOKEN, hsm_load_path(dir, "so-pin", so_pin),
                            pin, &err),
         &err);
    must(kw_hsm_ceremony_new(&token, &make->ceremony, &err), &err);
    must(kw_hsm_ceremony_make(make->ceremony, kw_spki_bytes(&recovery), &made, &err), &err);
    must(kw_hsm_ceremony_root(make->ceremony, "bench root", &make->validity, &make->root, &err),
         &err);
    must(kw_hsm_ceremony_ca(make->ceremony,
                            &(struct kw_hsm_ca){.signer = KW_HSM_CA_PARTNERS,
                                                .name = "bench partners",
                                                .region = "bench",
                                                .validity = make->validity},
                            kw_buf_bytes(&make->root), &make->ca, &err),
         &err);
}

/* A transport key needs its owner's certificate. */
static struct kw_ptk_binding transport_make(struct make *make)
{
    struct kw_spki spki = new_spki();
    struct kw_hsm_answer answer;
    struct kw_hsm_request request = {.op = KW_HSM_ISSUE_CERTIFICATE,
                                     .issue = {.issuer = KW_HSM_CA_PARTNERS,
                                               .issuer_certificate = kw_buf_bytes(&make->ca),
                                               .spki = kw_spki_bytes(&spki),
                                               .spiffe_id = PARTNER_URI,
                                               .validity = make->validity,
                                               .usage = KW_USAGE_TRANSPORT}};
    struct kw_error err;

    run(make, &request, &answer);
    must(kw_buf_append(&make->transport_cert, answer.certificate, &err), &err);
    request =
        (struct kw_hsm_request){.op = KW_HSM_PTK_CREATE,
                                .ptk_create = {.owner = make->partner,
                                               .version = 1,
                                               .kek_version = 1,
                                               .certificate = kw_buf_bytes(&make->transport_cert)}};
    run(make, &request, &answer);
    return answer.ptk.stored;
}

/* The station is the partner: whose transport key delivers it is nothing to the stored key. */
static struct kw_key_binding device_make(struct make *make, const struct kw_ptk_binding *transport)
{
    const struct kw_hsm_new_key key = {new_id(), make->device, new_id(), new_id()};
    struct kw_hsm_answer answer;
    struct kw_hsm_request request = {
        .op = KW_HSM_GENERATE,
        .generate = {.kek_version = 1, .station = *transport, .keys = &key, .count = 1}};

    run(make, &request, &answer);
    return answer.generated.items[0].stored;
}

static void facts_make(struct make *make, struct kw_id key, size_t count)
{
    static const enum kw_fact_kind kinds[] = {KW_FACT_PROTECTED, KW_FACT_ACTIVATED};
    struct kw_error err;

    for (size_t i = 0; i < count; i++) {
        const struct kw_fact fact = {.key = key,
                                     .kind = kinds[i % 2],
                                     .time_ms = kw_clock_wall_ms(),
                                     .capsule = new_id(),
                                     .actor = kw_bytes_str(STATION_URI)};
        struct kw_hsm_answer answer;
        struct kw_hsm_request request = {
            .op = KW_HSM_MAC_FACTS, .mac_facts = {.contents = &make->facts[i].content, .count = 1}};

        must(kw_fact_encode(&fact, &make->fact_records[i], &err), &err);
        make->facts[i].content = kw_buf_bytes(&make->fact_records[i]);
        run(make, &request, &answer);
        kw_copy(make->facts[i].mac, answer.macs.items[0], KW_HSM_MAC_LEN);
    }
}

static void envelope_make(struct make *make, const struct kw_key_binding *device)
{
    const struct kw_envelope envelope = {.suite = KW_SUITE_AES256,
                                         .kind = KW_ENVELOPE_KEY,
                                         .device = device->device,
                                         .key = device->key,
                                         .partner = make->partner,
                                         .epoch = 1,
                                         .ptk_version = 1,
                                         .receipt = new_id(),
                                         .issued_ms = make->validity.not_before_ms,
                                         .expires_ms = make->validity.not_after_ms,
                                         .region = kw_bytes_str("local")};
    struct kw_error err;

    must(kw_envelope_encode_prefix(&envelope, &make->envelope, &err), &err);
}

static void request_write(const char *dir, const struct kw_hsm_request *request)
{
    const struct kw_hsm_batch batch = {.deadline_ns = UINT64_MAX, .requests = request, .count = 1};
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    char path[PATH_MAX];
    FILE *file = bench_must(fopen(hsm_load_path(dir, HSM_LOAD_REQUEST, path), "wbe"));
    struct kw_error err;

    must(kw_hsm_batch_put(&message, &batch, &err), &err);
    bench_require(fwrite(message.data, 1, message.len, file) == message.len && fclose(file) == 0,
                  path);
}

void hsm_make(const char *dir, size_t facts)
{
    static struct make make;
    uint64_t now_ms = kw_clock_wall_ms() / 1000 * 1000; /* certificates carry whole seconds */
    struct kw_hsm_request request = {.op = KW_HSM_DERIVE};

    make.partner = new_id();
    make.device = new_id();
    make.validity = (struct kw_validity){now_ms, now_ms + LIFE_DAYS * DAY_MS};
    ceremony_hold(&make, dir);
    request.derive = (struct kw_hsm_derive){.kind = KW_HSM_RELEASE,
                                            .transport = transport_make(&make),
                                            .partner = make.partner,
                                            .epoch = 1,
                                            .suite = KW_SUITE_AES256,
                                            .facts = make.facts,
                                            .fact_count = facts};
    request.derive.device = device_make(&make, &request.derive.transport);
    facts_make(&make, request.derive.device.key, facts);
    envelope_make(&make, &request.derive.device);
    request.derive.envelope = kw_buf_bytes(&make.envelope);
    request_write(dir, &request);
    kw_hsm_ceremony_free(make.ceremony);
    kw_buf_done(&make.root);
    kw_buf_done(&make.ca);
    kw_buf_done(&make.transport_cert);
    kw_buf_done(&make.envelope);
    for (size_t i = 0; i < facts; i++) {
        kw_buf_done(&make.fact_records[i]);
    }
}
