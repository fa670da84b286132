/* grpc_load: a gRPC client that keeps a server busy and says what came back: BEGIN, END (then it
 * waits for a line, so that its parent can read CPU clocks), FIGURES. One thread takes all events.
 *
 *     grpc_load target=HOST:PORT peer=SPIFFE-ID key=FILE cert=FILE ca=FILE
 *               path=/SERVICE/METHOD messages=FILE
 *               mode=closed in_flight=N | mode=open rate=N | mode=stream in_flight=N items=N
 *               [channels=N] [timeout_ms=N] [seconds=S]
 */
#include "bench/grpc_load.h"

#include "common/rpc/creds.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum kind {
    TEXT,
    NUMBER,
    DECIMAL
};

static const struct {
    const char *name;
    enum kind kind;
    size_t at;
} settings[] = {
    {"target", TEXT, offsetof(struct load, target)},
    {"peer", TEXT, offsetof(struct load, peer)},
    {"key", TEXT, offsetof(struct load, key)},
    {"cert", TEXT, offsetof(struct load, cert)},
    {"ca", TEXT, offsetof(struct load, ca)},
    {"path", TEXT, offsetof(struct load, path)},
    {"messages", TEXT, offsetof(struct load, messages_path)},
    {"mode", TEXT, offsetof(struct load, mode)},
    {"channels", NUMBER, offsetof(struct load, channel_count)},
    {"in_flight", NUMBER, offsetof(struct load, in_flight)},
    {"items", NUMBER, offsetof(struct load, items)},
    {"rate", NUMBER, offsetof(struct load, rate)},
    {"timeout_ms", NUMBER, offsetof(struct load, timeout_ms)},
    {"seconds", DECIMAL, offsetof(struct load, seconds)},
};

static void set(struct load *load, const char *argument)
{
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        size_t len = strlen(settings[i].name);
        const char *value = argument + len + 1;
        void *field = (char *)load + settings[i].at;

        if (strncmp(argument, settings[i].name, len) != 0 || argument[len] != '=') {
            continue;
        }
        switch (settings[i].kind) {
        case TEXT:
            *(const char **)field = value;
            return;
        case NUMBER:
            *(unsigned *)field = (unsigned)strtoul(value, NULL, 10);
            return;
        case DECIMAL:
            *(double *)field = strtod(value, NULL);
            return;
        }
    }
    bench_require(0, argument);
}

/* Channels of equal targets and arguments would share a connection: unary_channel prevents that. */
static void connect_all(struct load *load)
{
    const struct kw_creds_files files = {.key = load->key, .cert = load->cert, .ca = load->ca};
    const char *const ids[] = {load->peer, NULL};

    for (unsigned i = 0; i < load->channel_count; i++) {
        grpc_channel_credentials *creds;

        bench_require(kw_ok(kw_creds_client(&files, ids, &creds, NULL)), "credentials");
        load->channels[i] = unary_channel(load->target, creds);
    }
}

grpc_byte_buffer *load_next_message(struct load *load)
{
    struct kw_bytes message = messages_next(&load->messages);
    grpc_slice slice = grpc_slice_from_static_buffer(message.data, message.len);

    return grpc_raw_byte_buffer_create(&slice, 1);
}

/* The parent has all it wants: whatever is still in flight does not matter. */
static void tell(const struct bench_watch *watch, enum bench_moment moment)
{
    bench_watch_print(watch, moment);
    if (moment == BENCH_FIGURES) {
        _exit(EXIT_SUCCESS);
    }
}

int main(int argc, char **argv)
{
    static struct load load = {.mode = "",
                               .channel_count = 1,
                               .in_flight = 1,
                               .items = 1,
                               .rate = 1,
                               .timeout_ms = 20000,
                               .seconds = 1.0};

    for (int i = 1; i < argc; i++) {
        set(&load, argv[i]);
    }
    bench_require(load.target != NULL && load.peer != NULL && load.key != NULL &&
                      load.cert != NULL && load.ca != NULL && load.path != NULL &&
                      load.messages_path != NULL && load.channel_count >= 1 &&
                      load.channel_count <= LOAD_CHANNELS_MAX && load.in_flight >= 1 &&
                      load.items >= 1 && load.rate >= 1,
                  "usage: see the top of grpc_load.c");
    unary_node_init(&load.node);
    messages_read(&load.messages, load.messages_path);
    connect_all(&load);
    bench_watch_init(&load.watch, load.seconds, STDOUT_FILENO, tell);
    if (strcmp(load.mode, "closed") == 0) {
        load_closed(&load);
    } else if (strcmp(load.mode, "open") == 0) {
        load_open(&load);
    } else if (strcmp(load.mode, "stream") == 0) {
        load_stream(&load);
    }
    bench_require(0, "mode=closed, open or stream");
}
