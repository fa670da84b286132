/* The socket, both sides of it. */
#include "cli/mesh_control.h"

#include "common/base/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DONE    "done\n"
#define PREFIX  "no: "
#define ADD     "add "
#define BACKLOG 8

/* --- in `keyward up` --- */

static void take_next(struct kw_mesh_control *control);

static void client_closed(uv_handle_t *handle)
{
    struct kw_mesh_control *control = handle->data;

    control->busy = false;
    if (control->waiting && !control->closing) {
        take_next(control);
    }
}

static void client_close(struct kw_mesh_control *control)
{
    control->cell = NULL;
    control->grows = false;
    if (!uv_is_closing((uv_handle_t *)&control->client)) {
        uv_close((uv_handle_t *)&control->client, client_closed);
    }
}

static void written(uv_write_t *write, int status)
{
    (void)status; /* who does not wait for the answer does not get it */
    client_close(write->data);
}

static void answer(struct kw_mesh_control *control, const char *text)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)text, (unsigned)strlen(text));

    control->cell = NULL;
    control->grows = false;
    control->write.data = control;
    if (uv_write(&control->write, (uv_stream_t *)&control->client, &buf, 1, written) != 0) {
        client_close(control);
    }
}

static void refuse(struct kw_mesh_control *control, const char *why)
{
    (void)snprintf(control->text, sizeof(control->text), PREFIX "%s\n", why);
    answer(control, control->text);
}

static const struct turn {
    const char *verb; /* as it is asked, with the blank behind it */
    void (*turn)(struct kw_mesh_cell *cell);
    bool ends; /* the cell runs before, not after */
} turns[] = {
    {"stop ", kw_mesh_cell_pause, true},
    {"kill ", kw_mesh_cell_kill, true},
    {"start ", kw_mesh_cell_start, false},
};

static const struct turn *turn_find(const char *request)
{
    for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
        if (strncmp(request, turns[i].verb, strlen(turns[i].verb)) == 0) {
            return &turns[i];
        }
    }
    return NULL;
}

static void cell_turn(struct kw_mesh_control *control, struct kw_mesh_cell *cell,
                      const struct turn *turn)
{
    bool paused = cell->next == 0;

    if (turn->ends ? !cell->ready : !paused) {
        refuse(control, turn->ends ? "it does not run, or is starting" : "it runs already");
        return;
    }
    control->cell = cell;
    turn->turn(cell);
}

static void region_add(struct kw_mesh_control *control, const char *name)
{
    const struct kw_mesh_control_options *options = &control->options;
    struct kw_error error;

    if (!kw_ok(options->region_add(name, options->context, &error))) {
        refuse(control, error.message);
        return;
    }
    control->grows = true;
}

/* "stop r1/b", "add r3" */
static void request_take(struct kw_mesh_control *control)
{
    char *name = strchr(control->text, ' ');
    struct kw_mesh_cell *cell = name != NULL ? kw_mesh_find(control->options.mesh, name + 1) : NULL;
    const struct turn *turn = turn_find(control->text);

    if (strncmp(control->text, ADD, strlen(ADD)) == 0) {
        region_add(control, control->text + strlen(ADD));
    } else if (cell == NULL) {
        refuse(control, "there is no such cell");
    } else if (turn == NULL) {
        refuse(control, "stop, kill or start");
    } else {
        cell_turn(control, cell, turn);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct kw_mesh_control *control = handle->data;

    (void)suggested;
    *buf = uv_buf_init(control->text + control->len,
                       (unsigned)(sizeof(control->text) - 1 - control->len));
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct kw_mesh_control *control = stream->data;
    char *end;

    (void)buf;
    if (len < 0) { /* gone, or no line in all the room there is */
        client_close(control);
        return;
    }
    control->len += (size_t)len;
    control->text[control->len] = '\0';
    end = strchr(control->text, '\n');
    if (end != NULL) {
        *end = '\0';
        (void)uv_read_stop(stream);
        request_take(control);
    }
}

static void take_next(struct kw_mesh_control *control)
{
    uv_stream_t *client = (uv_stream_t *)&control->client;

    control->waiting = false;
    control->len = 0;
    (void)uv_pipe_init(control->listener.loop, &control->client, 0);
    control->client.data = control;
    control->busy = true;
    if (uv_accept((uv_stream_t *)&control->listener, client) != 0 ||
        uv_read_start(client, on_alloc, on_read) != 0) {
        client_close(control);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct kw_mesh_control *control = listener->data;

    if (status != 0) {
        return;
    }
    control->waiting = true;
    if (!control->busy) {
        take_next(control);
    }
}

struct kw_result kw_mesh_control_open(struct kw_mesh_control *control,
                                      const struct kw_mesh_control_options *options,
                                      struct kw_error *err)
{
    char path[PATH_MAX];
    int rc;

    control->options = *options;
    (void)uv_pipe_init(kw_loop_uv(options->loop), &control->listener, 0);
    control->listener.data = control;
    control->listens = true;
    rc = uv_pipe_bind(&control->listener, kw_mesh_path(options->dir, KW_MESH_CONTROL_SOCKET, path));
    if (rc == 0) {
        rc = uv_listen((uv_stream_t *)&control->listener, BACKLOG, on_connection);
    }
    KW_ENSURE(rc == 0, err, SYSTEM, "%s: %s", path, uv_strerror(rc));
    KW_ENSURE(chmod(path, 0600) == 0, err, SYSTEM, "%s: %s", path, strerror(errno));
    return KW_OK;
}

void kw_mesh_control_turned(struct kw_mesh_control *control, const struct kw_mesh_cell *cell)
{
    if (control->cell == cell) {
        answer(control, DONE);
    }
}

void kw_mesh_control_grown(struct kw_mesh_control *control)
{
    if (control->grows) {
        answer(control, DONE);
    }
}

void kw_mesh_control_close(struct kw_mesh_control *control)
{
    if (!control->listens || control->closing) {
        return;
    }
    control->closing = true;
    uv_close((uv_handle_t *)&control->listener, NULL);
    if (control->busy) {
        client_close(control);
    }
}

/* --- in other commands --- */

static struct kw_result reach(const struct kw_mesh_dir *dir, int fd, struct kw_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s/" KW_MESH_CONTROL_SOCKET,
                       dir->path);

    KW_ENSURE(len > 0 && (size_t)len < sizeof(address.sun_path), err, CONFIG_INVALID,
              "%s: too long for a socket", dir->path);
    KW_ENSURE(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, err, PEER_UNAVAILABLE,
              "%s: %s: does `keyward up` run there?", address.sun_path, strerror(errno));
    return KW_OK;
}

/* Until it is closed. */
static struct kw_result hear(int fd, char text[KW_MESH_CONTROL_LEN_MAX], struct kw_error *err)
{
    size_t len = 0;
    ssize_t more = 1;

    while (more != 0 && len < KW_MESH_CONTROL_LEN_MAX - 1) {
        more = read(fd, text + len, KW_MESH_CONTROL_LEN_MAX - 1 - len);
        KW_ENSURE(more >= 0 || errno == EINTR, err, SYSTEM, "the mesh's answer: %s",
                  strerror(errno));
        len += more > 0 ? (size_t)more : 0;
    }
    text[len] = '\0';
    return KW_OK;
}

struct kw_result kw_mesh_control_ask(const struct kw_mesh_dir *dir, const char *verb,
                                     const char *name, struct kw_error *err)
{
    KW_SCOPED(kw_fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[KW_MESH_CONTROL_LEN_MAX];
    int len = snprintf(text, sizeof(text), "%s %s\n", verb, name);

    KW_ENSURE(fd >= 0, err, SYSTEM, "a socket: %s", strerror(errno));
    KW_ENSURE((size_t)len < sizeof(text), err, CONFIG_INVALID, "%s: too long a name", name);
    KW_TRY(reach(dir, fd, err));
    KW_ENSURE(send(fd, text, (size_t)len, MSG_NOSIGNAL) == len, err, PEER_UNAVAILABLE,
              "the mesh: %s", strerror(errno));
    KW_TRY(hear(fd, text, err));
    KW_ENSURE(text[0] != '\0', err, PEER_UNAVAILABLE, "the mesh has ended");
    text[strcspn(text, "\n")] = '\0';
    KW_ENSURE(strncmp(text, PREFIX, strlen(PREFIX)) != 0, err, CONFIG_INVALID, "%s: %s", name,
              text + strlen(PREFIX));
    return KW_OK;
}
