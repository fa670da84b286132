/* The HTTP server for probes and metrics, on libmicrohttpd's own thread. */
#include "common/observe/observe.h"

#include "common/base/metrics.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#define HOST_SIZE    64
#define TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"
#define TYPE_TEXT    "text/plain; charset=utf-8"
#define TYPE_JSON    "application/json"

struct kw_observe {
    struct MHD_Daemon *daemon;
    struct kw_observe_hooks hooks;
};

/* An answer in the making. */
struct answer {
    unsigned status;
    const char *type;
    struct kw_buf body;
};

void kw_readiness_add(struct kw_readiness *readiness, const char *name, bool holds)
{
    assert(readiness->count < KW_OBSERVE_CONDITIONS_MAX);
    readiness->conditions[readiness->count].name = name;
    readiness->conditions[readiness->count].holds = holds;
    readiness->count++;
}

static struct kw_result put(struct answer *answer, const char *text)
{
    return kw_buf_append(&answer->body, kw_bytes_str(text), NULL);
}

static struct kw_result answer_text(struct answer *answer, unsigned status, const char *text)
{
    answer->status = status;
    answer->type = TYPE_TEXT;
    return put(answer, text);
}

static struct kw_result answer_metrics(struct kw_observe *observe, struct answer *answer)
{
    (void)observe;
    answer->status = MHD_HTTP_OK;
    answer->type = TYPE_METRICS;
    return kw_metrics_write(&answer->body, NULL);
}

static struct kw_result answer_live(struct kw_observe *observe, struct answer *answer)
{
    return observe->hooks.alive(observe->hooks.process)
               ? answer_text(answer, MHD_HTTP_OK, "ok\n")
               : answer_text(answer, MHD_HTTP_SERVICE_UNAVAILABLE, "stuck\n");
}

/* {"ready":false,"conditions":{"store":true,"hsm":false}} */
static struct kw_result answer_ready(struct kw_observe *observe, struct answer *answer)
{
    struct kw_readiness readiness = {.count = 0};
    bool ready = true;

    observe->hooks.readiness(observe->hooks.context, &readiness);
    for (size_t i = 0; i < readiness.count; i++) {
        ready = ready && readiness.conditions[i].holds;
    }
    answer->status = ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
    answer->type = TYPE_JSON;
    KW_TRY(put(answer,
               ready ? "{\"ready\":true,\"conditions\":{" : "{\"ready\":false,\"conditions\":{"));
    for (size_t i = 0; i < readiness.count; i++) {
        KW_TRY(put(answer, i == 0 ? "\"" : ",\""));
        KW_TRY(put(answer, readiness.conditions[i].name));
        KW_TRY(put(answer, readiness.conditions[i].holds ? "\":true" : "\":false"));
    }
    return put(answer, "}}\n");
}

static const struct {
    const char *path;
    struct kw_result (*answer)(struct kw_observe *observe, struct answer *answer);
} pages[] = {
    {"/metrics", answer_metrics},
    {"/livez", answer_live},
    {"/readyz", answer_ready},
};

static struct kw_result answer_request(struct kw_observe *observe, const char *method,
                                       const char *path, struct answer *answer)
{
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return answer_text(answer, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD\n");
    }
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (strcmp(path, pages[i].path) == 0) {
            return pages[i].answer(observe, answer);
        }
    }
    return answer_text(answer, MHD_HTTP_NOT_FOUND, "/metrics, /livez or /readyz\n");
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, const struct answer *answer)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer->body.len, answer->body.data, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result sent = MHD_NO;

    if (response == NULL) {
        return MHD_NO;
    }
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type) == MHD_YES &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES) {
        sent = MHD_queue_response(connection, answer->status, response);
    }
    MHD_destroy_response(response);
    return sent;
}

/* libmicrohttpd's handler: called with the headers; MHD_NO closes the connection. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_len, void **request)
{
    struct answer answer = {0};
    enum MHD_Result sent = MHD_NO;

    (void)version;
    (void)upload;
    (void)upload_len;
    (void)request;
    if (kw_ok(answer_request(context, method, path, &answer))) {
        sent = send_answer(connection, &answer);
    }
    kw_buf_done(&answer.body);
    return sent;
}

/* "host:port" or "[v6]:port", numeric. The caller frees the result by freeaddrinfo. */
static struct kw_result resolve(const char *address, struct addrinfo **ret_info,
                                struct kw_error *err)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                   .ai_socktype = SOCK_STREAM};
    const char *colon = strrchr(address, ':');
    size_t digits = colon != NULL ? strspn(colon + 1, "0123456789") : 0;
    size_t brackets = address[0] == '[' ? 1 : 0;
    size_t len = colon != NULL ? (size_t)(colon - address) : 0;
    char host[HOST_SIZE];
    int status;

    KW_ENSURE(len > 2 * brackets && len < sizeof(host), err, CONFIG_INVALID,
              "address %s: expected host:port", address);
    /* getaddrinfo takes an empty port for 0 and a large one modulo 65536. */
    KW_ENSURE(digits > 0 && digits <= 5 && colon[1 + digits] == '\0' &&
                  strtoul(colon + 1, NULL, 10) <= UINT16_MAX,
              err, CONFIG_INVALID, "address %s: expected a port of 0 to 65535", address);
    KW_ENSURE(brackets == 0 || colon[-1] == ']', err, CONFIG_INVALID,
              "address %s: expected [host]:port", address);
    kw_copy(host, address + brackets, len - 2 * brackets);
    host[len - 2 * brackets] = '\0';
    status = getaddrinfo(host, colon + 1, &hints, ret_info);
    KW_ENSURE(status == 0, err, CONFIG_INVALID, "address %s: %s", address, gai_strerror(status));
    return KW_OK;
}

static struct MHD_Daemon *start_daemon(struct kw_observe *observe, const struct addrinfo *info)
{
    unsigned flags = MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ITC;

    if (info->ai_family == AF_INET6) {
        flags |= MHD_USE_IPv6;
    }
    return MHD_start_daemon(flags, 0, NULL, NULL, handle, observe, MHD_OPTION_SOCK_ADDR,
                            info->ai_addr, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)KW_OBSERVE_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)KW_OBSERVE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)KW_OBSERVE_MEMORY_MAX, MHD_OPTION_END);
}

struct kw_result kw_observe_start(const char *address, const struct kw_observe_hooks *hooks,
                                  struct kw_observe **ret_observe, struct kw_error *err)
{
    struct kw_observe *observe;
    struct addrinfo *info;
    int reason;

    KW_TRY(resolve(address, &info, err));
    observe = calloc(1, sizeof(*observe));
    if (observe == NULL) {
        freeaddrinfo(info);
        KW_FAIL(err, MEMORY, "observe");
    }
    observe->hooks = *hooks;
    errno = 0;
    observe->daemon = start_daemon(observe, info);
    reason = errno;
    freeaddrinfo(info);
    if (observe->daemon == NULL) {
        free(observe);
        KW_FAIL(err, SYSTEM, "listen on %s: %s", address, strerror(reason));
    }
    kw_metric_set(KW_M_BUILD_INFO, KW_VERSION, 1);
    *ret_observe = observe;
    return KW_OK;
}

uint16_t kw_observe_port(const struct kw_observe *observe)
{
    return MHD_get_daemon_info(observe->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void kw_observe_stop(struct kw_observe *observe)
{
    if (observe == NULL) {
        return;
    }
    MHD_stop_daemon(observe->daemon);
    free(observe);
}
