/* One renewal at a time; the disk is written by a thread of its own. */
#include "common/rpc/service_renewal.h"

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/base/container.h"
#include "common/base/failpoint.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/loop/pool.h"
#include "common/pki/csr.h"
#include "common/pki/renewal.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "keyward/internal/v1/core.pb-c.h"

#include <stdlib.h>

#define MS_PER_S 1000U

struct kw_service_renewal {
    struct kw_service_renewal_options options;
    struct kw_timer timer;
    struct kw_credentials present; /* of the renewal under way */
    struct kw_private_key next;
    bool under_way;
    struct kw_buf response; /* from the hop */
    struct kw_pool *disk;
    struct kw_job write;
    struct kw_buf key_pem; /* the next generation */
    struct kw_buf cert_pem;
    bool writing;
    bool closing;
    void (*closed)(void *context);
    void *closed_context;
};

static void arena_done(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

/* --- the end of one --- */

static void end(struct kw_service_renewal *renewal)
{
    kw_credentials_done(&renewal->present);
    kw_private_key_done(&renewal->next);
    kw_buf_done(&renewal->response);
    kw_buf_done(&renewal->key_pem);
    kw_buf_done(&renewal->cert_pem);
    renewal->under_way = false;
}

static void note(struct kw_result result, const struct kw_error *error)
{
    kw_metric_add(KW_M_CERTIFICATE_RENEWALS, kw_ok(result) ? "ok" : "failed", 1);
    if (kw_ok(result)) {
        KW_LOG(INFO, "certificate renewed");
    } else {
        KW_LOG(WARN, "certificate not renewed", KW_F_ERR(error));
    }
}

/* --- writing --- */

static void free_closed(struct kw_timer *timer)
{
    struct kw_service_renewal *renewal = KW_CONTAINER_OF(timer, struct kw_service_renewal, timer);
    void (*closed)(void *context) = renewal->closed;
    void *context = renewal->closed_context;

    end(renewal);
    kw_pool_free(renewal->disk);
    free(renewal);
    closed(context);
}

static struct kw_result write_run(struct kw_job *job, struct kw_error *err)
{
    struct kw_service_renewal *renewal = KW_CONTAINER_OF(job, struct kw_service_renewal, write);

    return kw_credentials_renew(renewal->options.credentials_dir, kw_buf_bytes(&renewal->key_pem),
                                kw_buf_bytes(&renewal->cert_pem), err);
}

static void write_done(struct kw_job *job)
{
    struct kw_service_renewal *renewal = KW_CONTAINER_OF(job, struct kw_service_renewal, write);

    renewal->writing = false;
    note(job->result, &job->error);
    end(renewal);
    if (renewal->closing) {
        kw_timer_close(&renewal->timer, free_closed);
    }
}

/* --- the answer --- */

/* The new leaf is for us; that it is for our key too is checked by the writer. */
static struct kw_result leaf_check(const struct kw_service_renewal *renewal, struct kw_bytes der,
                                   struct kw_error *err)
{
    const char *trust_domain = renewal->options.trust_domain;
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    struct kw_spiffe present;
    struct kw_spiffe next;

    KW_TRY(kw_certificate_from_der(&leaf, der, err));
    KW_TRY(kw_certificate_identity(&leaf, trust_domain, &next, err));
    KW_TRY(kw_certificate_identity(&renewal->present.leaf, trust_domain, &present, err));
    KW_ENSURE(kw_spiffe_equal(&present, &next), err, IDENTITY_INVALID, "for another service");
    return kw_trust_verify(&renewal->present.trust, &leaf, NULL, KW_PURPOSE_SERVER,
                           kw_clock_wall_ms(), err);
}

static struct kw_result chain_pem(struct kw_service_renewal *renewal,
                                  const Keyward__Internal__V1__CertificateChain *chain,
                                  struct kw_error *err)
{
    for (size_t i = 0; i < chain->n_certificates; i++) {
        KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};

        KW_TRY(kw_certificate_from_der(&certificate, kw_bytes_field(chain->certificates[i]), err));
        KW_TRY(kw_certificate_to_pem(&certificate, &renewal->cert_pem, err));
    }
    return kw_private_key_to_pem(&renewal->next, &renewal->key_pem, err);
}

static struct kw_result answer_read(struct kw_service_renewal *renewal, struct kw_bytes response,
                                    struct kw_error *err)
{
    KW_SCOPED(arena_done) struct kw_arena *arena = kw_arena_new(KW_BODY_LEN_MAX);
    const Keyward__Internal__V1__RenewServiceResponse *answer;
    ProtobufCMessage *message;

    KW_ENSURE(arena != NULL, err, MEMORY, "renewal");
    KW_TRY(kw_message_unpack(&keyward__internal__v1__renew_service_response__descriptor, response,
                             arena, &message, err));
    answer = (const Keyward__Internal__V1__RenewServiceResponse *)message;
    KW_ENSURE(answer->chain != NULL && answer->chain->n_certificates > 0, err, INTERNAL,
              "no certificate");
    KW_TRY(leaf_check(renewal, kw_bytes_field(answer->chain->certificates[0]), err));
    return chain_pem(renewal, answer->chain, err);
}

void kw_service_renewal_answer(struct kw_service_renewal *renewal, struct kw_result result,
                               const struct kw_error *error, struct kw_bytes response)
{
    struct kw_error own = error != NULL ? *error : (struct kw_error){0};

    if (kw_ok(result)) {
        result = answer_read(renewal, response, &own);
    }
    if (kw_ok(result)) {
        renewal->write = (struct kw_job){.run = write_run, .done = write_done};
        result = kw_pool_submit(renewal->disk, &renewal->write, &own);
    }
    renewal->writing = kw_ok(result);
    if (!renewal->writing) {
        note(result, &own);
        end(renewal);
    }
}

/* --- the question, over a hop --- */

static void on_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct kw_service_renewal *renewal = user;

    (void)call;
    kw_buf_clear(&renewal->response);
    (void)kw_ok(kw_buf_append(&renewal->response, item.data, NULL)); /* missing: no certificate */
}

static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    struct kw_service_renewal *renewal = user;
    struct kw_error error = {0};
    struct kw_result result = KW_OK;

    (void)call;
    (void)context;
    if (status->reason != KW_E_NONE) {
        result = kw_error_make(&error, status->reason, __FILE__, __LINE__, "refused inside");
    }
    kw_service_renewal_answer(renewal, result, &error, kw_buf_bytes(&renewal->response));
}

static struct kw_result ask_hop(struct kw_service_renewal *renewal, struct kw_bytes request,
                                struct kw_error *err)
{
    static const struct kw_hop_events events = {.data = on_data, .status = on_status};
    const struct kw_method *method = kw_method_by_id(KW_METHOD_RENEW_SERVICE);
    const struct kw_hop_open open = {
        .method = KW_METHOD_RENEW_SERVICE,
        .deadline_ns = kw_clock_mono_ns() + method->deadline_ms_max * KW_NS_PER_MS,
        .item = {.data = request},
        .has_item = true,
        .end = true,
    };
    struct kw_hop_client *inner = *renewal->options.inner;
    struct kw_hop_call *call;

    KW_ENSURE(inner != NULL, err, PEER_UNAVAILABLE, "the hop is closed");
    return kw_hop_open(inner, &open, &events, renewal, &call, err);
}

/* --- the question --- */

static struct kw_result request_pack(const struct kw_service_renewal *renewal,
                                     struct kw_arena *arena, struct kw_bytes *ret_request,
                                     struct kw_error *err)
{
    Keyward__Internal__V1__RenewServiceRequest request =
        KEYWARD__INTERNAL__V1__RENEW_SERVICE_REQUEST__INIT;
    KW_SCOPED(kw_buf_done) struct kw_buf csr = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf certificate = {0};
    struct kw_signature signature;

    KW_TRY(kw_csr_build(&renewal->next, &csr, err));
    KW_TRY(kw_certificate_to_der(&renewal->present.leaf, &certificate, err));
    KW_TRY(kw_renewal_sign(&renewal->present.key, kw_buf_bytes(&csr), &signature, err));
    request.csr = kw_field_bytes(kw_buf_bytes(&csr));
    request.certificate = kw_field_bytes(kw_buf_bytes(&certificate));
    request.signature = kw_field_bytes(kw_signature_bytes(&signature));
    return kw_arena_pack(arena, &request.base, ret_request, err);
}

static struct kw_result ask(struct kw_service_renewal *renewal, struct kw_error *err)
{
    KW_SCOPED(arena_done) struct kw_arena *arena = kw_arena_new(KW_BODY_LEN_MAX);
    struct kw_bytes request;

    KW_ENSURE(arena != NULL, err, MEMORY, "renewal");
    KW_TRY(kw_private_key_generate(&renewal->next, KW_CURVE_P256, err));
    KW_TRY(request_pack(renewal, arena, &request, err));
    return renewal->options.ask != NULL
               ? renewal->options.ask(renewal, request, renewal->options.context, err)
               : ask_hop(renewal, request, err);
}

static struct kw_result is_due(const struct kw_certificate *leaf, bool *ret_due,
                               struct kw_error *err)
{
    uint8_t fingerprint[KW_SHA256_LEN];
    struct kw_validity validity;

    KW_TRY(kw_certificate_validity(leaf, &validity, err));
    KW_TRY(kw_certificate_fingerprint(leaf, fingerprint, err));
    kw_metric_set(KW_M_CERTIFICATE_EXPIRY, "service", (int64_t)(validity.not_after_ms / MS_PER_S));
    *ret_due = kw_clock_wall_ms() >= kw_renewal_due_ms(&validity, kw_be32_load(fingerprint)) ||
               kw_failpoint_hit(KW_FP_RENEWAL_DUE);
    return KW_OK;
}

static struct kw_result check(struct kw_service_renewal *renewal, struct kw_error *err)
{
    bool due;

    KW_TRY(kw_credentials_load(&renewal->present, renewal->options.credentials_dir, err));
    KW_TRY(is_due(&renewal->present.leaf, &due, err));
    if (!due) {
        end(renewal);
        return KW_OK;
    }
    return ask(renewal, err);
}

static void on_timer(struct kw_timer *timer)
{
    struct kw_service_renewal *renewal = KW_CONTAINER_OF(timer, struct kw_service_renewal, timer);
    struct kw_error error;
    struct kw_result result;

    if (renewal->under_way) {
        return;
    }
    renewal->under_way = true;
    result = check(renewal, &error);
    if (!kw_ok(result)) {
        note(result, &error);
        end(renewal);
    }
}

/* --- life --- */

struct kw_result kw_service_renewal_start(const struct kw_service_renewal_options *options,
                                          struct kw_service_renewal **ret_renewal,
                                          struct kw_error *err)
{
    struct kw_service_renewal *renewal = calloc(1, sizeof(*renewal));

    struct kw_result result;

    KW_ENSURE(renewal != NULL, err, MEMORY, "renewal");
    renewal->options = *options;
    result = kw_pool_new(options->loop, "renewal", 1, 1, &renewal->disk, err);
    if (!kw_ok(result)) {
        free(renewal);
        return result;
    }
    kw_timer_init(&renewal->timer, options->loop, on_timer);
    kw_timer_start(&renewal->timer, KW_RENEWAL_FIRST_MS, KW_CREDENTIALS_CHECK_MS);
    *ret_renewal = renewal;
    return KW_OK;
}

void kw_service_renewal_close(struct kw_service_renewal *renewal, void (*closed)(void *context),
                              void *context)
{
    if (renewal == NULL) {
        closed(context);
        return;
    }
    renewal->closed = closed;
    renewal->closed_context = context;
    renewal->closing = true;
    if (!renewal->writing) {
        kw_timer_close(&renewal->timer, free_closed);
    }
}
