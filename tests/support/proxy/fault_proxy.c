/* fault-proxy: TCP links that go wrong as they are told. Not shipped.
 *
 * Prints READY. Then each line on stdin is a request, and each answer a line on stdout (control.h; `fault-proxy
 * --help`). The end of stdin is its end.
 */
#include "tests/support/proxy/control.h"

#include "common/base/container.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct program {
    struct control control;
    uv_pipe_t input;
    char line[PROXY_LINE_MAX];
    size_t len;
};

static void end(struct program *program)
{
    uv_close((uv_handle_t *)&program->input, NULL);
    control_done(&program->control);
    kw_loop_stop(program->control.loop);
}

static void answer_line(struct program *program)
{
    KW_SCOPED(kw_buf_done) struct kw_buf answer = {0};

    control_run(&program->control, program->line, &answer);
    (void)fwrite(answer.data, 1, answer.len, stdout);
    (void)fflush(stdout);
}

/* The rest of the line buffer; without any, the line is no request of ours. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct program *program = KW_CONTAINER_OF(handle, struct program, input);

    (void)suggested;
    *ret_buf =
        uv_buf_init(program->line + program->len, (unsigned)(sizeof(program->line) - program->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct program *program = KW_CONTAINER_OF(stream, struct program, input);
    char *newline;

    (void)buf;
    if (n < 0) {
        end(program);
        return;
    }
    program->len += (size_t)n;
    while ((newline = memchr(program->line, '\n', program->len)) != NULL) {
        size_t line_len = (size_t)(newline - program->line) + 1;

        *newline = '\0';
        answer_line(program);
        program->len -= line_len;
        memmove(program->line, program->line + line_len, program->len);
    }
}

int main(int argc, char **argv)
{
    static struct program program;
    struct kw_error err = {0};

    if (argc > 1) {
        control_help();
        return strcmp(argv[1], "--help") == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    if (!kw_ok(kw_loop_new(&program.control.loop, &err))) {
        (void)fprintf(stderr, "fault-proxy: %s\n", err.message);
        return EXIT_FAILURE;
    }
    (void)uv_pipe_init(kw_loop_uv(program.control.loop), &program.input, 0);
    (void)uv_pipe_open(&program.input, STDIN_FILENO);
    (void)uv_read_start((uv_stream_t *)&program.input, on_alloc, on_read);
    (void)puts("READY");
    (void)fflush(stdout);
    kw_loop_run(program.control.loop);
    kw_loop_free(program.control.loop);
    return EXIT_SUCCESS;
}
