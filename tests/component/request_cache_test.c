/* The request cache against a Redis that does not keep to the protocol: a socket in this process, which the test speaks
 * for. */
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "services/gateway/cache/request_cache.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_LEN  (1024 * 1024) /* more than a socket holds between the two */
#define PATIENCE_NS (10ULL * 1000 * 1000 * 1000)

static struct kw_loop *loop;
static struct kw_request_cache *cache;
static char dir[32] = "/tmp/request_cache_XXXXXX";
static char socket_path[64];
static char key_path[64];
static char password_path[64];
static int listener = -1;
static int server = -1;
static int answers;
static int hits;
static bool closed;

static void turn(void)
{
    (void)uv_run(kw_loop_uv(loop), UV_RUN_NOWAIT);
    if (server < 0) {
        server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
}

#define EVENTUALLY(condition)                                                                      \
    do {                                                                                           \
        uint64_t end_ = kw_clock_mono_ns() + PATIENCE_NS;                                          \
        while (!(condition) && kw_clock_mono_ns() < end_) {                                        \
            turn();                                                                                \
        }                                                                                          \
        if (!(condition)) {                                                                        \
            cr_fatal("not within 10 s: %s", #condition);                                           \
        }                                                                                          \
    } while (0)

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    cr_assert(file != NULL && fputs(text, file) > 0);
    cr_assert(eq(int, fclose(file), 0));
}

/* A place for all files, and one that listens; nobody speaks with it yet. */
static void make(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    cr_assert(mkdtemp(dir) != NULL);
    (void)snprintf(socket_path, sizeof(socket_path), "%s/redis", dir);
    (void)snprintf(key_path, sizeof(key_path), "%s/key", dir);
    (void)snprintf(password_path, sizeof(password_path), "%s/password", dir);
    (void)umask(077);
    put(key_path, "0123456789abcdef0123456789abcdef");
    put(password_path, "hunter2\n");
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    cr_assert(bind(listener, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
              listen(listener, 4) == 0);
    cr_assert(kw_ok(kw_loop_new(&loop, NULL)));
}

static void set_up(void)
{
    const struct kw_redis_options options = {.address = socket_path};

    make();
    cr_assert(kw_ok(kw_request_cache_new(loop, &options, key_path, &cache, NULL)));
    EVENTUALLY(server >= 0 && kw_request_cache_is_up(cache));
}

static void on_closed(void *context)
{
    (void)context;
    closed = true;
}

static void tear_down(void)
{
    kw_request_cache_close(cache, on_closed, NULL);
    EVENTUALLY(closed);
    kw_loop_stop(loop);
    kw_loop_run(loop);
    kw_loop_free(loop);
    (void)close(server);
    (void)close(listener);
    (void)unlink(socket_path);
    (void)unlink(key_path);
    (void)unlink(password_path);
    (void)rmdir(dir);
}

TestSuite(request_cache, .init = set_up, .fini = tear_down);

static void on_value(void *user, bool found, struct kw_bytes outcome)
{
    (void)user;
    (void)outcome;
    answers++;
    hits += found;
}

static void ask(void)
{
    struct kw_cache_key key;
    const uint8_t fingerprint[KW_SHA256_LEN] = "\r\n*1\r\n$8\r\nSHUTDOWN\r\n";
    const struct kw_request_name name = {.fingerprint = fingerprint, .method = 0x0d0a0d0a};

    cr_assert(kw_ok(kw_request_cache_key(cache, &name, &key, NULL)));
    cr_assert(kw_request_cache_get(cache, &key, on_value, NULL) != NULL);
}

static void say(const char *text)
{
    cr_assert(eq(sz, (size_t)send(server, text, strlen(text), MSG_NOSIGNAL), strlen(text)));
}

/* The connection was cut; the next one works. */
static void expect_reconnect(void)
{
    EVENTUALLY(!kw_request_cache_is_up(cache));
    (void)close(server);
    server = -1;
    EVENTUALLY(server >= 0 && kw_request_cache_is_up(cache));
}

/* hiredis would abort the process: found by tests/fuzz/redis_fuzz.c. */
static void answer_unasked(const char *extra)
{
    answers = 0;
    say(extra);
    expect_reconnect();
    ask();
    say("$-1\r\n");
    say(extra);
    EVENTUALLY(answers == 1);
    expect_reconnect();
    cr_assert(eq(int, hits, 0));
}

Test(request_cache, an_answer_nobody_asked_for_cuts_the_connection)
{
    answer_unasked("$3\r\nabc\r\n");
    answer_unasked(":1\r\n");
    answer_unasked("+OK\r\n");
    answer_unasked("$-1\r\n");
    answer_unasked("*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    answer_unasked("-ERR no\r\n");
}

/* Sends `filler` after `head` until the cache has cut the connection; how much went out. */
static size_t flood(const char *head, const char *filler)
{
    size_t len = strlen(filler);
    size_t sent = 0;
    ssize_t now = 0;

    ask();
    say(head);
    while (now >= 0 || errno == EAGAIN) {
        sent += now > 0 ? (size_t)now : 0;
        turn();
        now = send(server, filler, len, MSG_NOSIGNAL);
    }
    EVENTUALLY(answers > 0);
    expect_reconnect();
    return sent;
}

/* hiredis would keep what comes until the command is late: gigabytes. */
Test(request_cache, an_answer_without_end_cuts_the_connection)
{
    static char filler[4096];
    const size_t most = KW_REQUEST_CACHE_BUFFER_MAX + (size_t)SOCKET_LEN;
    int64_t before = kw_metric_value(KW_M_LIMITS_REACHED, "cache_reply");

    memset(filler, 'a', sizeof(filler) - 1);
    cr_assert(lt(sz, flood("$2147483000\r\n", filler), most));
    cr_assert(lt(sz, flood("+", filler), most));
    cr_assert(eq(i64, kw_metric_value(KW_M_LIMITS_REACHED, "cache_reply"), before + 2));
    cr_assert(eq(int, hits, 0));
}

/* The reader never holds much of it, but what is made of it grows. */
Test(request_cache, an_array_cuts_the_connection_whatever_its_length)
{
    static char filler[5 * 800 + 1];

    for (size_t i = 0; i + 5 < sizeof(filler); i += 5) {
        memcpy(filler + i, "$-1\r\n", 5);
    }
    cr_assert(lt(sz, flood("*4000000\r\n", filler), SOCKET_LEN));
}

/* What a caller may choose is under the key's HMAC: no CR LF of his reaches Redis. */
Test(request_cache, what_redis_is_sent_is_one_command_whatever_the_caller_chose)
{
    static const char head[] = "*2\r\n$3\r\nGET\r\n$64\r\n";
    char bytes[256];
    ssize_t len = -1;

    ask();
    EVENTUALLY(len > 0 || (len = recv(server, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0);
    cr_assert(eq(sz, (size_t)len, sizeof(head) - 1 + 64 + 2));
    cr_assert(memcmp(bytes, head, sizeof(head) - 1) == 0);
    for (size_t i = 0; i < 64; i++) {
        cr_assert(strchr("0123456789abcdef", bytes[sizeof(head) - 1 + i]) != NULL);
    }
    cr_assert(memcmp(bytes + len - 2, "\r\n", 2) == 0);
    say("$5\r\nvalue\r\n");
    EVENTUALLY(answers == 1);
    cr_assert(eq(int, hits, 0));
}

Test(request_cache_address, each_address_of_a_name_has_its_turn)
{
    struct sockaddr where[3];
    struct addrinfo list[3] = {{.ai_addr = &where[0], .ai_next = &list[1]},
                               {.ai_addr = &where[1], .ai_next = &list[2]},
                               {.ai_addr = &where[2]}};
    unsigned turn = 0;

    for (size_t i = 0; i < 7; i++) {
        cr_assert(kw_redis_next_address(list, &turn) == &where[i % 3]);
    }
    cr_assert(kw_redis_next_address(&list[2], &turn) == &where[2], "fewer than there were");
}

/* --- who asks for a password --- */

static void set_up_login(void)
{
    const struct kw_redis_options options = {
        .address = socket_path, .user = "gateway", .password_file = password_path};

    make();
    cr_assert(kw_ok(kw_request_cache_new(loop, &options, key_path, &cache, NULL)));
    EVENTUALLY(server >= 0);
}

TestSuite(request_cache_login, .init = set_up_login, .fini = tear_down);

/* What has come of it, if anything has. */
static size_t recv_some(char *bytes, size_t size)
{
    ssize_t len = recv(server, bytes, size, MSG_DONTWAIT);

    return len > 0 ? (size_t)len : 0;
}

static bool ended(void)
{
    char byte;

    return recv(server, &byte, 1, MSG_DONTWAIT) == 0;
}

/* It hangs up, and comes again. */
static void expect_again(void)
{
    EVENTUALLY(ended());
    (void)close(server);
    server = -1;
    EVENTUALLY(server >= 0);
}

/* What the cache sent is this, and nothing else. */
static void expect_sent(const char *text)
{
    char bytes[256];
    size_t len = 0;

    EVENTUALLY((len += recv_some(bytes + len, sizeof(bytes) - len)) >= strlen(text));
    cr_assert(eq(sz, len, strlen(text)));
    cr_assert(memcmp(bytes, text, len) == 0);
}

#define LOGIN "*3\r\n$4\r\nAUTH\r\n$7\r\ngateway\r\n$7\r\nhunter2\r\n"

Test(request_cache_login, nothing_is_asked_before_the_password_is_taken)
{
    expect_sent(LOGIN);
    cr_assert(not(kw_request_cache_is_up(cache)));
    say("+OK\r\n");
    EVENTUALLY(kw_request_cache_is_up(cache));
}

/* Refused, or answered by what is no answer to that: from the beginning, later. */
static void refuse(const char *answer)
{
    expect_sent(LOGIN);
    say(answer);
    cr_assert(not(kw_request_cache_is_up(cache)));
    expect_again();
}

Test(request_cache_login, a_refused_password_is_tried_again_from_the_beginning)
{
    refuse("-WRONGPASS invalid username-password pair\r\n");
    refuse("-NOAUTH\r\n");
    refuse("$2\r\nOK\r\n");
    refuse("$-1\r\n");
    expect_sent(LOGIN);
    say("+OK\r\n");
    EVENTUALLY(kw_request_cache_is_up(cache));
}

Test(request_cache_login, one_who_never_answers_is_left)
{
    expect_sent(LOGIN);
    expect_again();
    expect_sent(LOGIN);
}

Test(request_cache_login, the_cache_may_end_before_it_is_answered)
{
    expect_sent(LOGIN);
}

static enum kw_reason made_with(const struct kw_redis_options *options)
{
    struct kw_request_cache *other = NULL;
    struct kw_error error;

    return kw_request_cache_new(loop, options, key_path, &other, &error).reason;
}

Test(request_cache_login, a_password_must_be_there_and_private)
{
    struct kw_redis_options options = {.address = socket_path, .user = "gateway"};

    cr_assert(eq(int, made_with(&options), KW_E_CONFIG_INVALID), "a name alone");
    options.password_file = "/nowhere";
    cr_assert(eq(int, made_with(&options), KW_E_CONFIG_INVALID));
    cr_assert(eq(int, chmod(password_path, 0644), 0));
    options.password_file = password_path;
    cr_assert(eq(int, made_with(&options), KW_E_CONFIG_INVALID), "everybody may read it");
}
