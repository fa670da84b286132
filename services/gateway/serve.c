/* Routing, admission, the one answer. */
#include "services/gateway/serve.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/pki/certificate.h"
#include "services/gateway/call.h"
#include "services/gateway/gateway.h"
#include "services/gateway/reflection.h"
#include "services/gateway/status_details.h"

#define NS_PER_MS      1000000U
#define NS_PER_S       1e9
#define REQUEST_ID_MAX KW_EDGE_REQUEST_ID_LEN_MAX

static const struct kw_route routes[] = {{kw_call_open}, {kw_health_open}, {kw_reflection_open}};

/* --- the one answer --- */

static void log_end(const struct kw_serving *serving, enum kw_reason reason)
{
    const struct kw_reason_row *row = kw_reason_row(reason);
    uint64_t took_ns = kw_clock_mono_ns() - serving->start_ns;
    char request_id[REQUEST_ID_MAX + 1] = "";
    size_t len =
        serving->request_id.len < REQUEST_ID_MAX ? serving->request_id.len : REQUEST_ID_MAX;

    kw_copy(request_id, serving->request_id.data, len);
    kw_metric_add(KW_M_RPC_HANDLED, reason == KW_E_NONE ? "ok" : row->label, 1);
    kw_metric_observe(KW_M_RPC_SECONDS, serving->method, (double)took_ns / NS_PER_S);
    KW_LOG(INFO, "call", KW_F_STR("method", serving->method),
           KW_F_U64("code", reason == KW_E_NONE ? KW_GRPC_OK : (uint64_t)row->grpc_code),
           KW_F_STR("reason", reason == KW_E_NONE ? "" : row->name),
           KW_F_U64("ms", took_ns / NS_PER_MS), KW_F_STR("peer", serving->peer->address),
           KW_F_STR("request_id", request_id));
}

static void unlink_serving(struct kw_serving *serving)
{
    *(serving->prev != NULL ? &serving->prev->next : &serving->gateway->servings) = serving->next;
    if (serving->next != NULL) {
        serving->next->prev = serving->prev;
    }
}

/* After this the serving is gone. */
static void end(struct kw_serving *serving, enum kw_reason reason)
{
    log_end(serving, reason);
    kw_callers_leave(serving->gateway->callers, serving->caller);
    unlink_serving(serving);
    serving->events->over(serving);
}

static void answer(struct kw_serving *serving, const struct kw_hop_status *status,
                   const char *receipt)
{
    KW_SCOPED(kw_buf_done) struct kw_buf packed = {0};
    const struct kw_status_details details = {.reason = status->reason,
                                              .field = status->field,
                                              .description = status->description,
                                              .retry_after_ms = status->retry_after_ms,
                                              .request_id = serving->request_id};
    const struct kw_edge_trailer trailer = {.name = "keyward-receipt",
                                            .value = kw_bytes_str(receipt != NULL ? receipt : "")};
    struct kw_edge_status edge = {
        .code = KW_GRPC_OK, .trailers = &trailer, .trailer_count = receipt != NULL ? 1 : 0};

    if (status->reason != KW_E_NONE) {
        edge.code = kw_reason_row(status->reason)->grpc_code;
        edge.message = kw_status_message(&details);
        KW_IGNORE(kw_status_details_append(&details, &packed, NULL)); /* code and message remain */
        edge.details = kw_buf_bytes(&packed);
    }
    kw_edge_finish(serving->call, &edge);
}

void kw_serving_finish(struct kw_serving *serving, const struct kw_hop_status *status,
                       const char *receipt)
{
    enum kw_reason reason = status->reason;

    answer(serving, status, receipt);
    end(serving, reason);
}

void kw_serving_fail(struct kw_serving *serving, const struct kw_error *error)
{
    const struct kw_hop_status status = {.reason = error->reason};

    KW_LOG(DEBUG, "call failed here", KW_F_STR("method", serving->method), KW_F_ERR(error));
    kw_serving_finish(serving, &status, NULL);
}

void kw_serve_end_standing(struct kw_gateway *gateway)
{
    const struct kw_hop_status draining = {.reason = KW_E_DRAINING};

    for (struct kw_serving *serving = gateway->servings, *next; serving != NULL; serving = next) {
        next = serving->next;
        if (serving->events->standing) {
            kw_serving_finish(serving, &draining, NULL);
        }
    }
}

/* --- the handshake --- */

/* Exactly one name, in our trust domain, and not a service's: those have listeners of their own.
 * What the named one may do, authz decides. */
static bool on_recognise(struct kw_bytes certificate, void *context)
{
    const struct kw_gateway *gateway = context;
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    struct kw_spiffe id;

    return kw_ok(kw_certificate_from_der(&leaf, certificate, NULL)) &&
           kw_ok(kw_certificate_identity(&leaf, gateway->config->trust_domain, &id, NULL)) &&
           id.role != KW_ROLE_SERVICE;
}

/* --- open --- */

/* A call that nobody serves. */
static void refuse(struct kw_gateway *gateway, struct kw_edge_call *call,
                   const struct kw_edge_open *open, const struct kw_error *error, uint32_t retry_ms)
{
    struct kw_serving serving = {.method = "none",
                                 .gateway = gateway,
                                 .call = call,
                                 .peer = open->peer,
                                 .request_id = open->request_id,
                                 .start_ns = kw_clock_mono_ns()};
    const struct kw_hop_status status = {.reason = error->reason, .retry_after_ms = retry_ms};

    KW_LOG(DEBUG, "call refused", KW_F_ERR(error));
    answer(&serving, &status, NULL);
    log_end(&serving, error->reason);
}

static struct kw_result route(struct kw_gateway *gateway, const struct kw_edge_open *open,
                              struct kw_serving **ret_serving, struct kw_error *err)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        struct kw_result opened = routes[i].open(gateway, open, ret_serving, err);

        if (opened.reason != KW_E_METHOD_UNKNOWN) {
            return opened;
        }
    }
    KW_FAIL(err, METHOD_UNKNOWN, "no method %.*s", (int)open->path.len,
            (const char *)open->path.data);
}

static struct kw_result enter(struct kw_gateway *gateway, const struct kw_edge_open *open,
                              struct kw_caller **ret_caller, uint32_t *ret_retry_ms,
                              struct kw_error *err)
{
    uint8_t fingerprint[KW_SHA256_LEN];

    KW_TRY(kw_sha256(open->peer->certificate, fingerprint, err));
    return kw_callers_enter(gateway->callers, fingerprint, kw_clock_mono_ns() / NS_PER_MS,
                            ret_caller, ret_retry_ms, err);
}

static void on_open(struct kw_edge_call *call, const struct kw_edge_open *open, void *context)
{
    struct kw_gateway *gateway = context;
    struct kw_caller *caller = NULL;
    struct kw_serving *serving = NULL;
    struct kw_error error = {0};
    uint32_t retry_ms = 0;

    if (!kw_ok(enter(gateway, open, &caller, &retry_ms, &error))) {
        refuse(gateway, call, open, &error, retry_ms);
        return;
    }
    if (!kw_ok(route(gateway, open, &serving, &error))) {
        kw_callers_leave(gateway->callers, caller);
        refuse(gateway, call, open, &error, 0);
        return;
    }
    serving->gateway = gateway;
    serving->call = call;
    serving->peer = open->peer;
    serving->request_id = open->request_id;
    serving->caller = caller;
    serving->start_ns = kw_clock_mono_ns();
    serving->next = gateway->servings;
    if (serving->next != NULL) {
        serving->next->prev = serving;
    }
    gateway->servings = serving;
    kw_edge_serve(call, serving);
    if (serving->deadline_ns != 0) {
        kw_edge_set_deadline(call, serving->deadline_ns);
    }
}

/* --- the other events --- */

static void on_message(struct kw_edge_call *call, struct kw_bytes message, void *user)
{
    struct kw_serving *serving = user;

    (void)call;
    serving->events->message(serving, message);
}

static void on_end(struct kw_edge_call *call, void *user)
{
    struct kw_serving *serving = user;

    (void)call;
    serving->events->end(serving);
}

static void on_writable(struct kw_edge_call *call, void *user)
{
    struct kw_serving *serving = user;

    (void)call;
    serving->events->writable(serving);
}

static void on_cancel(struct kw_edge_call *call, enum kw_reason reason, void *user)
{
    (void)call;
    end(user, reason);
}

struct kw_edge_handler kw_serve_handler(struct kw_gateway *gateway)
{
    return (struct kw_edge_handler){
        .recognise = on_recognise,
        .open = on_open,
        .message = on_message,
        .end = on_end,
        .writable = on_writable,
        .cancel = on_cancel,
        .describe = kw_status_describe,
        .context = gateway,
    };
}
