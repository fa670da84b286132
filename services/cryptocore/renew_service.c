/* Checking a request, having the leaf made, answering. */
#include "services/cryptocore/renew_service.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/log.h"
#include "common/pki/csr.h"
#include "common/pki/hosts.h"
#include "common/pki/renewal.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "keyward/internal/v1/core.pb-c.h"

#include <stdlib.h>

#define DAY_MS    86400000ULL
#define CHAIN_LEN 2 /* leaf and issuing CA */

struct renewal {
    struct kw_core *core;
    struct kw_arena *arena;
    struct kw_hsm_call hsm;
    struct kw_hsm_request request;
    struct kw_hop_call *hop;        /* NULL: the core's own, or cancelled */
    struct kw_service_renewal *own; /* NULL: another service's */
};

static void renewal_free(struct renewal *renewal)
{
    struct kw_core *core = renewal->core;

    kw_arena_free(renewal->arena);
    free(renewal);
    kw_core_call_ended(core);
}

static struct kw_result renewal_new(struct kw_core *core, struct renewal **ret_renewal,
                                    struct kw_error *err)
{
    struct renewal *renewal = calloc(1, sizeof(*renewal));

    KW_ENSURE(renewal != NULL, err, MEMORY, "renewal");
    renewal->arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    if (renewal->arena == NULL) {
        free(renewal);
        KW_FAIL(err, MEMORY, "renewal");
    }
    renewal->core = core;
    core->in_flight++;
    *ret_renewal = renewal;
    return KW_OK;
}

/* --- the answer --- */

static struct kw_result answer_make(const struct renewal *renewal, struct kw_bytes certificate,
                                    struct kw_bytes *ret_answer, struct kw_error *err)
{
    Keyward__Internal__V1__RenewServiceResponse response =
        KEYWARD__INTERNAL__V1__RENEW_SERVICE_RESPONSE__INIT;
    Keyward__Internal__V1__CertificateChain chain = KEYWARD__INTERNAL__V1__CERTIFICATE_CHAIN__INIT;
    ProtobufCBinaryData certificates[CHAIN_LEN] = {
        kw_field_bytes(certificate),
        kw_field_bytes(renewal->request.issue.issuer_certificate),
    };

    chain.n_certificates = CHAIN_LEN;
    chain.certificates = certificates;
    response.chain = &chain;
    return kw_arena_pack(renewal->arena, &response.base, ret_answer, err);
}

static void answer(struct renewal *renewal, struct kw_result result, const struct kw_error *error,
                   struct kw_bytes response)
{
    if (renewal->own != NULL) {
        kw_service_renewal_answer(renewal->own, result, error, response);
    } else if (renewal->hop != NULL && kw_ok(result)) {
        kw_hop_reply(renewal->hop, (struct kw_hop_item){.data = response});
    } else if (renewal->hop != NULL) {
        kw_hop_finish(
            renewal->hop,
            &(struct kw_hop_status){.reason = error->reason, .field = "", .description = ""},
            KW_BYTES_NONE);
    }
}

static void hsm_done(struct kw_hsm_call *hsm, const struct kw_hsm_answer *answers, size_t count)
{
    struct renewal *renewal = KW_CONTAINER_OF(hsm, struct renewal, hsm);
    struct kw_result result = answers[0].result;
    struct kw_error error = answers[0].error;
    struct kw_bytes response = KW_BYTES_NONE;

    (void)count;
    if (kw_ok(result)) {
        result = answer_make(renewal, answers[0].certificate, &response, &error);
    }
    if (kw_ok(result)) {
        KW_LOG(INFO, "service certificate issued",
               KW_F_STR("service", renewal->request.issue.spiffe_id));
    } else {
        KW_LOG(WARN, "service certificate not issued",
               KW_F_STR("service", renewal->request.issue.spiffe_id), KW_F_ERR(&error));
    }
    answer(renewal, result, &error, response);
    renewal_free(renewal);
}

/* --- the question --- */

/* A service of this very region and cell, listed and not denied. */
static struct kw_result service_check(const struct kw_core *core, const struct kw_spiffe *id,
                                      char text[KW_SPIFFE_TEXT_SIZE], struct kw_error *err)
{
    bool denied;

    (void)kw_spiffe_text(id, text);
    KW_ENSURE(id->role == KW_ROLE_SERVICE && strcmp(id->region, core->config->region) == 0 &&
                  strcmp(id->cell, core->config->cell) == 0,
              err, IDENTITY_INVALID, "not a service of this cell");
    KW_ENSURE(kw_core_pki_lists(&core->pki, text), err, PERMISSION_DENIED, "%s is not on the list",
              text);
    KW_TRY(kw_core_pki_denies(core->config->pki_dir, text, &denied, err));
    KW_ENSURE(!denied, err, PERMISSION_DENIED, "%s is denied", text);
    return KW_OK;
}

/* Who asks, by the certificate in the request: in force, and its key signed this request. */
static struct kw_result asker_verify(const struct kw_core *core,
                                     const Keyward__Internal__V1__RenewServiceRequest *request,
                                     struct kw_certificate *ret_present,
                                     char spiffe_id[KW_SPIFFE_TEXT_SIZE], struct kw_error *err)
{
    const struct kw_trust *trust = &core->pki.trust[kw_core_ca_index(KW_HSM_CA_SERVICES)];
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    struct kw_spiffe id;

    KW_TRY(kw_certificate_from_der(ret_present, kw_bytes_field(request->certificate), err));
    KW_TRY(kw_trust_verify(trust, ret_present, NULL, KW_PURPOSE_CLIENT, kw_clock_wall_ms(), err));
    KW_TRY(kw_certificate_identity(ret_present, core->config->trust_domain, &id, err));
    KW_TRY(service_check(core, &id, spiffe_id, err));
    KW_TRY(kw_certificate_public_key(ret_present, &key, err));
    return kw_renewal_verify(&key, kw_bytes_field(request->csr), kw_bytes_field(request->signature),
                             err);
}

static struct kw_result next_key(const Keyward__Internal__V1__RenewServiceRequest *request,
                                 struct kw_arena *arena, struct kw_bytes *ret_spki,
                                 struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    struct kw_spki spki;

    KW_TRY(kw_csr_verify(kw_bytes_field(request->csr), &key, err));
    KW_ENSURE(key.curve == KW_CURVE_P256, err, ARGUMENT_INVALID, "a service's key is on P-256");
    KW_TRY(kw_public_key_spki(&key, &spki, err));
    return kw_arena_copy(arena, kw_spki_bytes(&spki), ret_spki, err);
}

/* Everything but key and time is as in the present certificate, which was made here. */
static struct kw_result plan(struct renewal *renewal,
                             const Keyward__Internal__V1__RenewServiceRequest *request,
                             struct kw_error *err)
{
    struct kw_core *core = renewal->core;
    struct kw_hsm_issue *issue = &renewal->request.issue;
    KW_SCOPED(kw_certificate_done) struct kw_certificate present = {0};
    char spiffe_id[KW_SPIFFE_TEXT_SIZE];
    uint64_t now_ms = kw_clock_wall_ms();

    KW_TRY(asker_verify(core, request, &present, spiffe_id, err));
    renewal->request.op = KW_HSM_ISSUE_CERTIFICATE;
    issue->issuer = KW_HSM_CA_SERVICES;
    issue->issuer_certificate =
        kw_buf_bytes(&core->pki.ca_der[kw_core_ca_index(KW_HSM_CA_SERVICES)]);
    issue->usage = KW_USAGE_CLIENT | KW_USAGE_SERVER;
    issue->validity = (struct kw_validity){
        .not_before_ms = now_ms - KW_CERTIFICATE_BACKDATE_MS,
        .not_after_ms = now_ms + core->config->service_certificate_days * DAY_MS,
    };
    issue->spiffe_id = kw_arena_text(renewal->arena, spiffe_id, strlen(spiffe_id));
    KW_ENSURE(issue->spiffe_id != NULL, err, MEMORY, "SPIFFE id");
    KW_TRY(kw_certificate_hosts(&present, renewal->arena, &issue->hosts, &issue->host_count, err));
    return next_key(request, renewal->arena, &issue->spki, err);
}

static struct kw_result start(struct renewal *renewal, struct kw_bytes bytes, uint64_t deadline_ns,
                              struct kw_error *err)
{
    ProtobufCMessage *message;

    KW_TRY(kw_message_unpack(&keyward__internal__v1__renew_service_request__descriptor, bytes,
                             renewal->arena, &message, err));
    KW_TRY(plan(renewal, (const Keyward__Internal__V1__RenewServiceRequest *)message, err));
    renewal->hsm.deadline_ns = deadline_ns;
    renewal->hsm.done = hsm_done;
    return kw_hsm_submit(renewal->core->hsm, &renewal->hsm, &renewal->request, 1, err);
}

static void on_cancel(struct kw_hop_call *hop, void *user)
{
    struct renewal *renewal = user;

    (void)hop;
    renewal->hop = NULL;
}

void kw_core_renew_open(struct kw_hop_call *hop, const struct kw_hop_open *open,
                        struct kw_core *core)
{
    static const struct kw_hop_events events = {.cancel = on_cancel};
    struct kw_error error = {.reason = KW_E_NONE};
    struct renewal *renewal = NULL;
    struct kw_result result = renewal_new(core, &renewal, &error);

    if (kw_ok(result)) {
        renewal->hop = hop;
        kw_hop_serve(hop, &events, renewal);
        result = start(renewal, open->item.data, open->deadline_ns, &error);
    }
    if (!kw_ok(result)) {
        KW_LOG(WARN, "service certificate not issued", KW_F_ERR(&error));
        kw_hop_finish(
            hop, &(struct kw_hop_status){.reason = error.reason, .field = "", .description = ""},
            KW_BYTES_NONE);
    }
    if (!kw_ok(result) && renewal != NULL) {
        renewal_free(renewal);
    }
}

struct kw_result kw_core_renew_own(struct kw_service_renewal *own, struct kw_bytes request,
                                   void *context, struct kw_error *err)
{
    const struct kw_method *method = kw_method_by_id(KW_METHOD_RENEW_SERVICE);
    struct renewal *renewal;
    struct kw_result result;

    KW_TRY(renewal_new(context, &renewal, err));
    renewal->own = own;
    result =
        start(renewal, request, kw_clock_mono_ns() + method->deadline_ms_max * 1000000ULL, err);
    if (!kw_ok(result)) {
        renewal_free(renewal);
    }
    return result;
}
