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

#define REQUEST_ID_MAX KW_EDGE_REQUEST_ID_LEN_MAX

static const struct kw_route routes[] = {{kw_call_open}, {kw_health_open}, {kw_reflection_open}};

/* --- the one answer --- */

/* Of calls that are too many a line a second is enough, with how many it stands for: they come when
 * there is no time for anything. */
static bool is_told(struct kw_gateway *gateway, enum kw_reason reason, uint64_t now_ns)
{
    uint64_t second = now_ns / KW_NS_PER_S;

    if (reason != KW_E_RATE_LIMITED) {
        return true;
    }
    if (second == gateway->refused.second) {
        gateway->refused.untold++;
        return false;
    }
    if (gateway->refused.untold > 0) {
        KW_LOG(INFO, "calls refused", KW_F_STR("reason", kw_reason_row(reason)->name),
               KW_F_U64("calls", gateway->refused.untold));
    }
    gateway->refused.second = second;
    gateway->refused.untold = 0;
    return true;
}

static void log_end(const struct kw_serving *serving, enum kw_reason reason)
{
    const struct kw_reason_row *row = kw_reason_row(reason);
    uint64_t now_ns = kw_clock_mono_ns();
    uint64_t took_ns = now_ns - serving->start_ns;
    char request_id[REQUEST_ID_MAX + 1] = "";
    size_t len =
        serving->request_id.len < REQUEST_ID_MAX ? serving->request_id.len : REQUEST_ID_MAX;

    kw_copy(request_id, serving->request_id.data, len);
    kw_metric_add(KW_M_RPC_HANDLED, reason == KW_E_NONE ? "ok" : row->label, 1);
    kw_metric_observe(KW_M_RPC_SECONDS, serving->method, (double)took_ns / KW_NS_PER_S);
    if (!is_told(serving->gateway, reason, now_ns)) {
        return;
    }
    KW_LOG(INFO, "call", KW_F_STR("method", serving->method),
           KW_F_U64("code", reason == KW_E_NONE ? KW_GRPC_OK : (uint64_t)row->grpc_code),
           KW_F_STR("reason", reason == KW_E_NONE ? "" : row->name),
           KW_F_U64("ms", took_ns / KW_NS_PER_MS), KW_F_STR("peer", serving->peer->address),
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
    if (serving->queued_ns != 0) {
        uint64_t now_ns = kw_clock_mono_ns();

        kw_pace_leave(serving->pace, serving->ahead, reason == KW_E_NONE,
                      now_ns - serving->queued_ns, now_ns);
    }
    kw_callers_leave(serving->gateway->callers, serving->caller);
    unlink_serving(serving);
    serving->events->over(serving);
}

/* What the trailers say of an answer. */
static size_t trailers_make(const struct kw_serving_note *note, struct kw_edge_trailer *trailers)
{
    size_t count = 0;

    if (note != NULL && note->receipt != NULL) {
        trailers[count++] = (struct kw_edge_trailer){.name = "keyward-receipt",
                                                     .value = kw_bytes_str(note->receipt)};
    }
    if (note != NULL && note->durability != NULL) {
        trailers[count++] = (struct kw_edge_trailer){.name = "keyward-durability",
                                                     .value = kw_bytes_str(note->durability)};
    }
    return count;
}

static void answer(struct kw_serving *serving, const struct kw_hop_status *status,
                   const struct kw_serving_note *note)
{
    KW_SCOPED(kw_buf_done) struct kw_buf packed = {0};
    const struct kw_status_details details = {.reason = status->reason,
                                              .field = status->field,
                                              .description = status->description,
                                              .retry_after_ms = status->retry_after_ms,
                                              .request_id = serving->request_id};
    struct kw_edge_trailer trailers[2];
    struct kw_edge_status edge = {
        .code = KW_GRPC_OK, .trailers = trailers, .trailer_count = trailers_make(note, trailers)};

    if (status->reason == KW_E_RATE_LIMITED) {
        kw_edge_pause(serving->call);
    }
    if (status->reason != KW_E_NONE) {
        edge.code = kw_reason_row(status->reason)->grpc_code;
        edge.message = kw_status_message(&details);
        KW_IGNORE(kw_status_details_append(&details, &packed, NULL)); /* code and message remain */
        edge.details = kw_buf_bytes(&packed);
    }
    kw_edge_finish(serving->call, &edge);
}

void kw_serving_finish(struct kw_serving *serving, const struct kw_hop_status *status,
                       const struct kw_serving_note *note)
{
    enum kw_reason reason = status->reason;

    answer(serving, status, note);
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

/* Nobody is let in who can't be answered in time: what would be done for it would be lost. Officers
 * try. */
static struct kw_result ensure_in_time(const struct kw_pace *pace, const struct kw_caller *caller,
                                       uint64_t deadline_ns, uint64_t now_ns,
                                       uint32_t *ret_retry_ms, struct kw_error *err)
{
    uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;

    if (!caller->officer && !kw_pace_admits(pace, left_ns, now_ns)) {
        kw_metric_add(KW_M_LIMITS_REACHED, "late", 1);
        *ret_retry_ms = (uint32_t)(kw_pace_wait_ns(pace, now_ns) / KW_NS_PER_MS) + 1;
        KW_FAIL(err, RATE_LIMITED, "an answer takes %u ms now", *ret_retry_ms);
    }
    return KW_OK;
}

bool kw_serving_queue(struct kw_serving *serving)
{
    uint64_t now_ns = kw_clock_mono_ns();
    struct kw_hop_status late = {.reason = KW_E_RATE_LIMITED};

    if (serving->pace == NULL) {
        return true;
    }
    if (!kw_ok(ensure_in_time(serving->pace, serving->caller, kw_edge_deadline_ns(serving->call),
                              now_ns, &late.retry_after_ms, NULL))) {
        kw_serving_finish(serving, &late, NULL);
        return false;
    }
    serving->ahead = kw_pace_enter(serving->pace);
    serving->queued_ns = now_ns;
    return true;
}

/* At the door already, before anything is made for it; its request need not be whole. */
static struct kw_result ensure_worth(struct kw_gateway *gateway, const struct kw_edge_open *open,
                                     const struct kw_caller *caller, uint64_t now_ns,
                                     uint32_t *ret_retry_ms, struct kw_error *err)
{
    const struct kw_method *row = kw_method_by_path(open->path);
    const struct kw_pace *pace = row != NULL ? kw_call_pace(gateway, row) : NULL;

    return pace == NULL
               ? KW_OK
               : ensure_in_time(pace, caller, kw_call_deadline(row, open->deadline_ns, now_ns),
                                now_ns, ret_retry_ms, err);
}

static struct kw_result enter(struct kw_gateway *gateway, const struct kw_edge_open *open,
                              struct kw_caller **ret_caller, uint32_t *ret_retry_ms,
                              struct kw_error *err)
{
    uint64_t now_ns = kw_clock_mono_ns();
    struct kw_result in_time;

    KW_TRY(kw_callers_enter(gateway->callers, open->peer->certificate, now_ns / KW_NS_PER_MS,
                            ret_caller, ret_retry_ms, err));
    in_time = ensure_worth(gateway, open, *ret_caller, now_ns, ret_retry_ms, err);
    if (!kw_ok(in_time)) {
        kw_callers_leave(gateway->callers, *ret_caller);
    }
    return in_time;
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
