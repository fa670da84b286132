/* A link's listener and its list of connections. */
#include "tests/support/proxy/link.h"

#include "tests/support/dice.h"

#include <stdlib.h>
#include <unistd.h>

#define BACKLOG 128

/* One that is closed lives until the loop says so, and another may listen by then. */
struct listener {
    union endpoint_stream stream;
    struct link *link;
};

struct link {
    struct link_options options;
    struct proxy_books books;
    struct connection *connections;
    struct listener *listener; /* NULL: it refuses */
    unsigned listeners_open;
    int hold_fd;
    uint64_t dice;
    bool closing;
};

static void free_when_empty(struct link *link)
{
    if (link->closing && link->connections == NULL && link->listeners_open == 0) {
        free(link);
    }
}

/* --- connections --- */

static void on_gone(struct connection *connection, void *context)
{
    struct link *link = context;

    connection_unlink(&link->connections, connection);
    free_when_empty(link);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct link *link = ((struct listener *)stream->data)->link;
    const struct connection_options options = {.loop = link->options.loop,
                                               .books = &link->books,
                                               .seed = dice_roll(&link->dice),
                                               .gone = on_gone,
                                               .context = link};

    if (status == 0) {
        connection_link(
            &link->connections,
            connection_accept(&options, stream, &link->options.listen, &link->options.target));
    }
}

void link_look(struct link *link)
{
    for (struct connection *c = link->connections; c != NULL; c = connection_next(c)) {
        connection_look(c);
    }
}

unsigned link_reset(struct link *link)
{
    unsigned count = 0;

    for (struct connection *c = link->connections; c != NULL; c = connection_next(c)) {
        count += connection_reset(c);
    }
    return count;
}

/* --- the listener --- */

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    struct link *link = listener->link;

    free(listener);
    link->listeners_open--;
    free_when_empty(link);
}

static void stop_listening(struct link *link)
{
    if (link->listener != NULL) {
        uv_close(&link->listener->stream.handle, on_listener_closed);
        link->listener = NULL;
    }
}

static struct kw_result start_listening(struct link *link, struct kw_error *err)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    struct kw_result opened;
    int rc;

    KW_ENSURE(listener != NULL, err, MEMORY, "listener");
    opened = endpoint_open(&link->options.listen, kw_loop_uv(link->options.loop), &listener->stream,
                           err);
    if (!kw_ok(opened)) {
        free(listener);
        return opened;
    }
    listener->link = link;
    listener->stream.handle.data = listener;
    link->listener = listener;
    link->listeners_open++;
    rc = uv_listen(&listener->stream.stream, BACKLOG, on_connection);
    if (rc != 0) {
        stop_listening(link);
        KW_FAIL(err, SYSTEM, "listen: %s", uv_strerror(rc));
    }
    return KW_OK;
}

struct kw_result link_refuse(struct link *link, bool refuse, struct kw_error *err)
{
    if (refuse) {
        stop_listening(link);
    } else if (link->listener == NULL) {
        KW_TRY(start_listening(link, err));
    }
    return KW_OK;
}

/* --- the link --- */

struct kw_result link_new(const struct link_options *options, struct link **ret_link,
                          struct kw_error *err)
{
    struct link *link = calloc(1, sizeof(*link));
    struct kw_result listening;

    KW_ENSURE(link != NULL, err, MEMORY, "link");
    link->options = *options;
    link->dice = options->seed;
    for (int way = 0; way < PROXY_WAYS; way++) {
        proxy_faults_init(&link->books.faults[way]);
    }
    listening = endpoint_hold(&link->options.listen, &link->hold_fd, err);
    if (!kw_ok(listening)) {
        free(link);
        return listening;
    }
    listening = start_listening(link, err);
    if (!kw_ok(listening)) {
        link_close(link);
        return listening;
    }
    *ret_link = link;
    return KW_OK;
}

const struct endpoint *link_local(const struct link *link)
{
    return &link->options.listen;
}

void link_target(struct link *link, const struct endpoint *target)
{
    link->options.target = *target;
}

struct proxy_books *link_books(struct link *link)
{
    return &link->books;
}

void link_close(struct link *link)
{
    link->closing = true;
    stop_listening(link);
    close(link->hold_fd);
    if (endpoint_is_unix(&link->options.listen)) {
        (void)unlink(link->options.listen.address.un.sun_path);
    }
    for (struct connection *c = link->connections; c != NULL; c = connection_next(c)) {
        connection_close(c);
    }
    free_when_empty(link);
}
