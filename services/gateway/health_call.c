/* Who asks: Check answers once, Watch at every change until the client leaves or the gateway
 * drains. */
#include "common/base/container.h"
#include "common/rpc/protocheck.h"
#include "services/gateway/gateway.h"
#include "services/gateway/health_internal.h"

#include <stdlib.h>

#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

/* A state is a field of one byte and its tag. */
#define RESPONSE_LEN_MAX 16

struct kw_health_call {
    struct kw_serving serving;
    char *service; /* NULL: not asked yet */
    bool watching;
    bool told;
    Grpc__Health__V1__HealthCheckResponse__ServingStatus last; /* what the client knows, if told */
    struct kw_health_call *prev;
    struct kw_health_call *next;
};

static struct kw_health_call *call_of(struct kw_serving *serving)
{
    return KW_CONTAINER_OF(serving, struct kw_health_call, serving);
}

static struct kw_health *health_of(const struct kw_health_call *call)
{
    return call->serving.gateway->health;
}

static bool say(struct kw_health_call *call,
                Grpc__Health__V1__HealthCheckResponse__ServingStatus status)
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    uint8_t packed[RESPONSE_LEN_MAX];

    response.status = status;
    return kw_edge_send(
        call->serving.call,
        KW_BYTES(packed, grpc__health__v1__health_check_response__pack(&response, packed)));
}

static struct kw_result take_question(struct kw_health_call *call, struct kw_bytes message,
                                      struct kw_error *err)
{
    Grpc__Health__V1__HealthCheckRequest *request;

    KW_ENSURE(call->service == NULL, err, ENCODING_INVALID, "more than one message");
    KW_TRY(kw_proto_check(&grpc__health__v1__health_check_request__descriptor, message, err));
    request = grpc__health__v1__health_check_request__unpack(NULL, message.len, message.data);
    KW_ENSURE(request != NULL, err, MEMORY, "health request");
    call->service = strdup(request->service);
    grpc__health__v1__health_check_request__free_unpacked(request, NULL);
    KW_ENSURE(call->service != NULL, err, MEMORY, "health request");
    return KW_OK;
}

static void on_message(struct kw_serving *serving, struct kw_bytes message)
{
    struct kw_error error;

    if (!kw_ok(take_question(call_of(serving), message, &error))) {
        kw_serving_fail(serving, &error);
    }
}

static bool is_asked(struct kw_health_call *call)
{
    struct kw_error error;

    if (call->service == NULL) {
        (void)KW_MAKE(&error, ENCODING_INVALID, "no message in a unary request");
        kw_serving_fail(&call->serving, &error);
        return false;
    }
    return true;
}

static void on_check_end(struct kw_serving *serving)
{
    static const struct kw_hop_status known = {.reason = KW_E_NONE};
    static const struct kw_hop_status unknown = {.reason = KW_E_NOT_FOUND,
                                                 .description = "There is no such service here."};
    struct kw_health_call *call = call_of(serving);
    Grpc__Health__V1__HealthCheckResponse__ServingStatus status;

    if (!is_asked(call)) {
        return;
    }
    status = kw_health_status(health_of(call), call->service);
    if (status == SERVICE_UNKNOWN) {
        kw_serving_finish(serving, &unknown, NULL);
        return;
    }
    (void)say(call, status);
    kw_serving_finish(serving, &known, NULL);
}

/* Says the present state unless the client knows it; without room, when there is room. */
static void tell(struct kw_health_call *call)
{
    Grpc__Health__V1__HealthCheckResponse__ServingStatus status =
        kw_health_status(health_of(call), call->service);

    if ((!call->told || call->last != status) && say(call, status)) {
        call->told = true;
        call->last = status;
    }
}

void kw_health_tell(struct kw_health *health)
{
    for (struct kw_health_call *call = health->watchers; call != NULL; call = call->next) {
        tell(call);
    }
}

static void on_watch_end(struct kw_serving *serving)
{
    struct kw_health_call *call = call_of(serving);

    if (!is_asked(call)) {
        return;
    }
    call->watching = true;
    call->next = health_of(call)->watchers;
    if (call->next != NULL) {
        call->next->prev = call;
    }
    health_of(call)->watchers = call;
    tell(call);
}

static void on_writable(struct kw_serving *serving)
{
    struct kw_health_call *call = call_of(serving);

    if (call->watching) {
        tell(call);
    }
}

static void on_over(struct kw_serving *serving)
{
    struct kw_health_call *call = call_of(serving);

    if (call->watching) {
        *(call->prev != NULL ? &call->prev->next : &health_of(call)->watchers) = call->next;
        if (call->next != NULL) {
            call->next->prev = call->prev;
        }
    }
    free(call->service);
    free(call);
}

static const struct {
    const char *path;
    const char *method;
    struct kw_serving_events events;
} methods[] = {
    {"/grpc.health.v1.Health/Check",
     "Health.Check",
     {.message = on_message, .end = on_check_end, .writable = on_writable, .over = on_over}},
    {"/grpc.health.v1.Health/Watch",
     "Health.Watch",
     {.message = on_message,
      .end = on_watch_end,
      .writable = on_writable,
      .over = on_over,
      .standing = true}},
};

struct kw_result kw_health_open(struct kw_gateway *gateway, const struct kw_edge_open *open,
                                struct kw_serving **ret_serving, struct kw_error *err)
{
    (void)gateway;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (kw_bytes_equal(open->path, kw_bytes_str(methods[i].path))) {
            struct kw_health_call *call = calloc(1, sizeof(*call));

            KW_ENSURE(call != NULL, err, MEMORY, "health call");
            call->serving.events = &methods[i].events;
            call->serving.method = methods[i].method;
            *ret_serving = &call->serving;
            return KW_OK;
        }
    }
    KW_FAIL(err, METHOD_UNKNOWN, "not health");
}
