/* edge_server DIR: the same unary echo by the gateway's edge. Prints READY port=N. */
#include "bench/bench.h"
#include "bench/echo.h"
#include "common/base/log.h"
#include "services/gateway/edge/edge.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct echo {
    struct kw_edge_call *call;
    int answered;
};

static void on_open(struct kw_edge_call *call, const struct kw_edge_open *open, void *context)
{
    struct echo *echo = bench_must(calloc(1, sizeof(*echo)));

    (void)context;
    bench_require(kw_bytes_equal(open->path, kw_bytes_str(ECHO_PATH)), "another method");
    echo->call = call;
    kw_edge_serve(call, echo);
}

static void on_message(struct kw_edge_call *call, struct kw_bytes message, void *user)
{
    struct echo *echo = user;

    echo->answered = kw_edge_send(call, message);
}

static void on_end(struct kw_edge_call *call, void *user)
{
    struct echo *echo = user;
    const struct kw_edge_status status = {.code = echo->answered ? KW_GRPC_OK : KW_GRPC_INTERNAL};

    kw_edge_finish(call, &status);
    free(echo);
}

static void on_cancel(struct kw_edge_call *call, enum kw_reason reason, void *user)
{
    (void)call;
    (void)reason;
    free(user);
}

int main(int argc, char **argv)
{
    char ca[4096];
    struct kw_edge_options options = {
        .listen = "127.0.0.1:0",
        .client_ca_file = ca,
        .version = "bench",
        .region = "bench",
        .handler = {.open = on_open, .message = on_message, .end = on_end, .cancel = on_cancel},
    };
    struct kw_loop *loop;
    struct kw_edge *edge;
    int port;

    bench_require(argc == 2, "usage: edge_server DIR");
    (void)snprintf(ca, sizeof(ca), "%s/ca.pem", argv[1]);
    options.credentials_dir = argv[1];
    (void)signal(SIGPIPE, SIG_IGN);
    kw_log_setup("edge_server", "bench", KW_LOG_ERROR);
    bench_require(kw_ok(kw_loop_new(&loop, NULL)), "loop");
    bench_require(kw_ok(kw_edge_new(loop, &options, &edge, &port, NULL)), "edge");
    (void)printf("READY port=%d\n", port);
    (void)fflush(stdout);
    kw_loop_run(loop);
    return EXIT_SUCCESS;
}
