/* Redis: a hostile server at the other end of the request cache, through the real hiredis. Input: what makes the
 * request's name (as bytes a caller might choose), then the bytes the server answers with.
 *
 * What the server reads is whole RESP commands with a key that is 64 hex digits, whatever the name was; what the cache
 * gives out carries our MAC, and nothing the server makes up does.
 */
#include "common/base/limits.h"
#include "common/base/log.h"
#include "services/gateway/cache/request_cache.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TURNS_MAX 2000

static struct kw_loop *loop;
static struct kw_request_cache *cache;
static int listener = -1;
static int server = -1;

static bool answered;
static bool hit;
static struct kw_bytes expected; /* the only outcome that may come */

static void turn(void)
{
    (void)uv_run(kw_loop_uv(loop), UV_RUN_NOWAIT);
}

static void listen_here(struct sockaddr_un *address)
{
    address->sun_family = AF_UNIX;
    (void)snprintf(address->sun_path, sizeof(address->sun_path), "%s/redis", kw_fuzz_folder());
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    KW_FUZZ_CHECK(listener >= 0 &&
                  bind(listener, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
                  listen(listener, 8) == 0);
}

static void on_closed(void *context)
{
    *(bool *)context = true;
}

/* A connection that was spoilt is thrown away with its cache: to wait for the back-off would be too slow. */
static void drop(void)
{
    bool closed = false;

    kw_request_cache_close(cache, on_closed, &closed);
    for (int i = 0; !closed && i < TURNS_MAX; i++) {
        turn();
    }
    KW_FUZZ_CHECK(closed);
    /* On a slow machine it has connected again meanwhile: those that wait are nobody's. */
    for (; server >= 0; server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) {
        (void)close(server);
    }
    cache = NULL;
}

static void connect_cache(void)
{
    static struct sockaddr_un address;
    static const uint8_t key[KW_CACHE_SECRET_LEN] = {1};
    const struct kw_redis_options options = {.address = address.sun_path};

    if (loop == NULL) {
        kw_log_setup("fuzz", "", KW_LOG_ERROR);
        KW_FUZZ_MUST(kw_loop_new(&loop, NULL));
        listen_here(&address);
    }
    KW_FUZZ_MUST(
        kw_request_cache_new(loop, &options, kw_fuzz_file("key", KW_BYTES_OF(key)), &cache, NULL));
    for (int i = 0; (server < 0 || !kw_request_cache_is_up(cache)) && i < TURNS_MAX; i++) {
        turn();
        if (server < 0) {
            server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        }
    }
    KW_FUZZ_CHECK(server >= 0 && kw_request_cache_is_up(cache));
}

/* --- the server --- */

static size_t read_commands(uint8_t *bytes, size_t size)
{
    size_t len = 0;

    for (int i = 0; i < 3; i++) {
        ssize_t got;

        turn();
        got = recv(server, bytes + len, size - len, MSG_DONTWAIT);
        len += got > 0 ? (size_t)got : 0;
    }
    return len;
}

/* "*2\r\n$3\r\nGET\r\n$64\r\n<64 digits>\r\n" and nothing else. */
static void check_get(const uint8_t *bytes, size_t len, const struct kw_cache_key *key)
{
    static const char head[] = "*2\r\n$3\r\nGET\r\n$64\r\n";
    size_t head_len = sizeof(head) - 1;

    KW_FUZZ_CHECK(len == head_len + 64 + 2 && memcmp(bytes, head, head_len) == 0);
    KW_FUZZ_CHECK(memcmp(bytes + head_len, key->text, 64) == 0 &&
                  memcmp(bytes + head_len + 64, "\r\n", 2) == 0);
    for (size_t i = 0; i < 64; i++) {
        KW_FUZZ_CHECK(strchr("0123456789abcdef", key->text[i]) != NULL);
    }
}

static void on_value(void *user, bool found, struct kw_bytes outcome)
{
    (void)user;
    KW_FUZZ_CHECK(!answered);
    answered = true;
    hit = found;
    KW_FUZZ_CHECK(!found || kw_bytes_equal(outcome, expected));
}

/* With the head of a bulk string before it and a value that our own key sealed: this one is a hit. */
static void answer_honestly(const struct kw_cache_key *key)
{
    KW_SCOPED(kw_buf_done) struct kw_buf value = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret secret = {0};
    char head[32];
    int len;

    KW_FUZZ_MUST(kw_secret_init(&secret, KW_CACHE_SECRET_LEN, NULL));
    secret.slot[0] = 1;
    KW_FUZZ_MUST(kw_cache_value_seal(&secret, key, expected, &value, NULL));
    len = snprintf(head, sizeof(head), "$%zu\r\n", value.len);
    KW_FUZZ_CHECK(send(server, head, (size_t)len, MSG_NOSIGNAL) == len &&
                  send(server, value.data, value.len, MSG_NOSIGNAL) == (ssize_t)value.len &&
                  send(server, "\r\n", 2, MSG_NOSIGNAL) == 2);
}

static struct kw_request_name name_of(struct kw_fuzz_input *input,
                                      uint8_t fingerprint[KW_SHA256_LEN])
{
    struct kw_request_name name = {.fingerprint = fingerprint};
    struct kw_bytes id;
    struct kw_bytes print;

    name.method = kw_fuzz_u32(input);
    id = kw_fuzz_bytes(input, KW_ID_LEN);
    print = kw_fuzz_bytes(input, KW_SHA256_LEN);
    kw_copy(name.request_id.bytes, id.data, id.len);
    kw_copy(fingerprint, print.data, print.len);
    return name;
}

static void ask(const struct kw_cache_key *key, bool honest, struct kw_bytes answer)
{
    uint8_t bytes[512];

    answered = false;
    hit = false;
    KW_FUZZ_CHECK(kw_request_cache_get(cache, key, on_value, NULL) != NULL);
    check_get(bytes, read_commands(bytes, sizeof(bytes)), key);
    if (honest) {
        answer_honestly(key);
    } else {
        (void)send(server, answer.data, answer.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    for (int i = 0; !answered && i < 4; i++) {
        turn();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    uint8_t fingerprint[KW_SHA256_LEN] = {0};
    bool honest = kw_fuzz_u8(&input) == 'h';
    struct kw_request_name name = name_of(&input, fingerprint);
    struct kw_cache_key key;

    if (cache == NULL) {
        connect_cache();
    }
    expected = input.rest;
    KW_FUZZ_MUST(kw_request_cache_key(cache, &name, &key, NULL));
    ask(&key, honest, input.rest);
    KW_FUZZ_CHECK(honest || !hit); /* an honest one may still be late */
    if (!honest || !hit) {
        drop();
        KW_FUZZ_CHECK(answered);
    }
    return 0;
}
