/* A process, a line there, a line back. */
#include "tests/support/proxy/fixture.h"

#include "common/base/clock.h"
#include "tests/support/must.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM     KW_BINARY_DIR "/tests/fault-proxy"
#define LINE_SIZE   1024
#define PATIENCE_MS 30000
#define DECIMAL     10

/* One socket is its standard input and output. It dies with the test, however that ends. */
static _Noreturn void become(int fd, pid_t test)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == test && dup2(fd, STDIN_FILENO) >= 0 &&
        dup2(fd, STDOUT_FILENO) >= 0) {
        (void)execl(PROGRAM, PROGRAM, (char *)NULL);
    }
    _exit(EXIT_FAILURE);
}

static void read_line(const struct proxy *proxy, char line[LINE_SIZE])
{
    struct pollfd readable = {.fd = proxy->fd, .events = POLLIN};
    size_t len = 0;

    do {
        REQUIRE(len < LINE_SIZE - 1, "the fault proxy says too much");
        REQUIRE(poll(&readable, 1, PATIENCE_MS) == 1, "the fault proxy is silent");
        REQUIRE(read(proxy->fd, line + len, 1) == 1, "the fault proxy has ended");
    } while (line[len++] != '\n');
    line[len - 1] = '\0';
}

static void ask(const struct proxy *proxy, const char *request, char answer[LINE_SIZE])
{
    REQUIRE(dprintf(proxy->fd, "%s\n", request) > 0, "the fault proxy has ended");
    read_line(proxy, answer);
    REQUIRE(strncmp(answer, "ok", 2) == 0, "%s: %s", request, answer);
}

void proxy_start(struct proxy *proxy)
{
    int ends[2];
    pid_t test = getpid();
    char line[LINE_SIZE];

    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    proxy->pid = fork();
    if (proxy->pid == 0) {
        become(ends[1], test);
    }
    REQUIRE(proxy->pid > 0, "%s does not start", PROGRAM);
    close(ends[1]);
    proxy->fd = ends[0];
    read_line(proxy, line);
    REQUIRE(strcmp(line, "READY") == 0, "no READY: %s", line);
}

void proxy_stop(struct proxy *proxy)
{
    int status = -1;

    close(proxy->fd);
    waitpid(proxy->pid, &status, 0);
    REQUIRE(status == 0, "the fault proxy did not end cleanly: %d", status);
}

/* The number after "key=" in an answer. */
static uint64_t value_of(const char *answer, const char *key)
{
    char word[LINE_SIZE];
    const char *at;

    (void)snprintf(word, sizeof(word), " %s=", key);
    at = strstr(answer, word);
    REQUIRE(at != NULL, "no %s in: %s", key, answer);
    return strtoull(at + strlen(word), NULL, DECIMAL);
}

void proxy_link(struct proxy *proxy, int target_port, struct proxy_link *ret_link)
{
    char request[LINE_SIZE];
    char answer[LINE_SIZE];

    (void)snprintf(request, sizeof(request), "link target=127.0.0.1:%d", target_port);
    ask(proxy, request, answer);
    *ret_link = (struct proxy_link){.proxy = proxy,
                                    .number = (unsigned)value_of(answer, "link"),
                                    .port = (int)value_of(answer, "port")};
}

static void ask_link(const struct proxy_link *link, const char *what, const char *words,
                     char answer[LINE_SIZE])
{
    char request[2 * LINE_SIZE];

    (void)snprintf(request, sizeof(request), "%s link=%u %s", what, link->number, words);
    ask(link->proxy, request, answer);
}

void proxy_set(const struct proxy_link *link, const char *format, ...)
{
    char words[LINE_SIZE];
    char answer[LINE_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    ask_link(link, "set", words, answer);
}

void proxy_heal(const struct proxy_link *link)
{
    char answer[LINE_SIZE];

    ask_link(link, "heal", "", answer);
}

void proxy_reset(const struct proxy_link *link)
{
    char answer[LINE_SIZE];

    ask_link(link, "reset", "", answer);
}

uint64_t proxy_count(const struct proxy_link *link, const char *count)
{
    char answer[LINE_SIZE];

    ask_link(link, "stats", "", answer);
    return value_of(answer, count);
}

/* Each look is a turn of the proxy's loop. */
void proxy_await(const struct proxy_link *link, const char *count, uint64_t value)
{
    uint64_t end_ns = kw_clock_mono_ns() + PATIENCE_MS * 1000000ULL;

    while (proxy_count(link, count) < value) {
        REQUIRE(kw_clock_mono_ns() < end_ns, "%s never is %llu", count, (unsigned long long)value);
    }
}
