/* The connection's life:
 *
 *     WAITING ──back-off over──▶ RESOLVING ──▶ CONNECTING ──▶ LOGGING_IN ──▶ UP
 *        ▲                          │              │              │          │
 *        └──────── failed ──────────┴── too late ──┴── refused ───┴── lost ──┘
 *
 * Who needs no password is UP when it is connected; by TLS, that is after a handshake with the right
 * one. What keeps us from being UP is told once, until it is something else.
 *
 * Answers come in the order of the commands, so the oldest command is the first to be late. A
 * command that is late is told so, but stays in the list until its answer or the end of the
 * connection.
 */
#include "services/gateway/cache/redis.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/base/secret.h"
#include "services/gateway/cache/resp.h"
#include "services/gateway/cache/stream.h"
#include "services/gateway/cache/trust.h"

#include <stdlib.h>

enum state {
    WAITING,
    RESOLVING,
    CONNECTING,
    LOGGING_IN,
    UP
};

/* What keeps us from being UP: what the metric calls it, and the log. */
enum trouble {
    NONE,
    UNREACHABLE,
    CERTIFICATE,
    TLS,
    PASSWORD
};

struct kw_redis_command {
    struct kw_redis *redis;
    struct kw_redis_command *next;
    uint64_t sent_ns;
    kw_redis_done done; /* NULL: nobody waits, or not any more */
    void *user;
};

struct kw_redis {
    struct kw_loop *loop;
    enum state state;
    bool closing;
    bool resolving;
    char *host;                  /* or the socket's path */
    char *port;                  /* NULL: a Unix socket */
    char *user;                  /* NULL: the one that Redis calls default */
    struct kw_secret password;   /* empty: none is asked for */
    struct kw_redis_trust trust; /* without a context: no TLS */
    enum trouble told;           /* of which the log has been told */
    unsigned turn;               /* which address of the name is tried next */
    uint32_t backoff_ms;
    struct kw_timer timer; /* the back-off, the connect, the oldest command */
    uv_getaddrinfo_t resolve;
    struct kw_redis_stream *stream; /* NULL unless CONNECTING, LOGGING_IN or UP */
    struct kw_resp *resp;           /* the same */
    struct kw_redis_command *first;
    struct kw_redis_command **tail;
    size_t pending;
    void (*closed)(void *context);
    void *closed_context;
};

/* --- commands --- */

static void tell(struct kw_redis_command *command, enum kw_redis_outcome outcome,
                 struct kw_bytes value)
{
    kw_redis_done done = command->done;

    command->done = NULL;
    if (done != NULL) {
        done(command->user, outcome, value);
    }
}

/* The first command that somebody waits for decides when to look again; without one, the oldest. */
static void watch(struct kw_redis *redis)
{
    uint64_t now_ns = kw_clock_mono_ns();
    uint64_t at_ns;
    struct kw_redis_command *command = redis->first;

    if (redis->state != UP) {
        return;
    }
    if (command == NULL) {
        kw_timer_stop(&redis->timer);
        return;
    }
    at_ns = command->sent_ns + KW_REQUEST_CACHE_STALL_MS * KW_NS_PER_MS;
    while (command != NULL && command->done == NULL) {
        command = command->next;
    }
    if (command != NULL) {
        uint64_t late_ns = command->sent_ns + KW_REQUEST_CACHE_COMMAND_MS * KW_NS_PER_MS;

        at_ns = late_ns < at_ns ? late_ns : at_ns;
    }
    kw_timer_start(&redis->timer, at_ns > now_ns ? (at_ns - now_ns) / KW_NS_PER_MS + 1 : 0, 0);
}

static struct kw_redis_command *take_first(struct kw_redis *redis)
{
    struct kw_redis_command *command = redis->first;

    redis->first = command->next;
    if (redis->first == NULL) {
        redis->tail = &redis->first;
    }
    redis->pending--;
    return command;
}

static struct kw_redis_command *send_words(struct kw_redis *redis, const struct kw_bytes *words,
                                           size_t count, kw_redis_done done, void *user)
{
    struct kw_redis_command *command = calloc(1, sizeof(*command));

    if (command == NULL) {
        return NULL;
    }
    *command = (struct kw_redis_command){
        .redis = redis, .sent_ns = kw_clock_mono_ns(), .done = done, .user = user};
    if (!kw_ok(kw_resp_command(words, count, kw_redis_stream_out(redis->stream), NULL))) {
        free(command);
        return NULL;
    }
    kw_redis_stream_mark(redis->stream);
    *redis->tail = command;
    redis->tail = &command->next;
    redis->pending++;
    watch(redis);
    return command;
}

struct kw_redis_command *kw_redis_send(struct kw_redis *redis, const struct kw_bytes *words,
                                       size_t count, kw_redis_done done, void *user)
{
    return kw_redis_is_up(redis) && count <= KW_RESP_WORDS_MAX
               ? send_words(redis, words, count, done, user)
               : NULL;
}

void kw_redis_forget(struct kw_redis_command *command)
{
    command->done = NULL;
}

bool kw_redis_is_up(const struct kw_redis *redis)
{
    return redis->state == UP && !redis->closing && redis->pending < KW_REQUEST_CACHE_PENDING_MAX;
}

/* --- the end of a connection --- */

static void wait_and_connect(struct kw_redis *redis)
{
    redis->state = WAITING;
    kw_timer_start(&redis->timer, redis->backoff_ms, 0);
    redis->backoff_ms = redis->backoff_ms * 2 < KW_REQUEST_CACHE_RECONNECT_MAX_MS
                            ? redis->backoff_ms * 2
                            : KW_REQUEST_CACHE_RECONNECT_MAX_MS;
}

static void tell_trouble(struct kw_redis *redis, enum trouble trouble, const char *why)
{
    static const char *const results[] = {[UNREACHABLE] = "unreachable",
                                          [CERTIFICATE] = "certificate",
                                          [TLS] = "tls",
                                          [PASSWORD] = "password"};
    static const char *const messages[] = {[UNREACHABLE] = "request cache not reached",
                                           [CERTIFICATE] =
                                               "request cache shows no certificate that we take",
                                           [TLS] = "request cache has no TLS with us",
                                           [PASSWORD] = "request cache refuses our password"};

    kw_metric_add(KW_M_REQUEST_CACHE_CONNECTS, results[trouble], 1);
    if (redis->told == trouble) {
        return;
    }
    redis->told = trouble;
    if (trouble == UNREACHABLE) {
        KW_LOG(WARN, messages[trouble], KW_F_STR("host", redis->host), KW_F_STR("why", why));
    } else {
        KW_LOG(ERROR, messages[trouble], KW_F_STR("host", redis->host), KW_F_STR("why", why));
    }
}

/* Everything that belongs to the connection; commands under way are told LOST. */
static void let_go(struct kw_redis *redis)
{
    redis->state = WAITING;
    if (redis->stream != NULL) {
        kw_redis_stream_cut(redis->stream);
    }
    redis->stream = NULL;
    kw_resp_free(redis->resp);
    redis->resp = NULL;
    while (redis->first != NULL) {
        struct kw_redis_command *command = take_first(redis);

        tell(command, KW_REDIS_LOST, KW_BYTES_NONE);
        free(command);
    }
}

static void fail(struct kw_redis *redis, enum trouble trouble, const char *why)
{
    let_go(redis);
    if (!redis->closing) {
        tell_trouble(redis, trouble, why);
        wait_and_connect(redis);
    }
}

static void on_ended(void *context, enum kw_redis_end end, const char *why)
{
    static const enum trouble troubles[] = {[KW_REDIS_END_UNREACHABLE] = UNREACHABLE,
                                            [KW_REDIS_END_CERTIFICATE] = CERTIFICATE,
                                            [KW_REDIS_END_TLS] = TLS};
    struct kw_redis *redis = context;

    fail(redis, troubles[end], why);
}

/* --- answers --- */

static enum kw_redis_outcome outcome_of(enum kw_resp_kind kind)
{
    switch (kind) {
    case KW_RESP_STRING:
        return KW_REDIS_VALUE;
    case KW_RESP_STATUS:
        return KW_REDIS_DONE;
    case KW_RESP_ERROR:
        return KW_REDIS_REFUSED;
    case KW_RESP_OTHER:
        break;
    }
    return KW_REDIS_NIL;
}

/* The answer to the oldest command. An answer shows that the connection is of use. */
static void take_answer(struct kw_redis *redis, const struct kw_resp_answer *answer)
{
    struct kw_redis_command *command = take_first(redis);

    if (redis->state == UP) {
        redis->backoff_ms = KW_REQUEST_CACHE_RECONNECT_MIN_MS;
    }
    tell(command, outcome_of(answer->kind), answer->text);
    free(command);
}

/* Whoever answers what nobody asked is out of step: what comes next would be taken for another's. */
static void on_bytes(void *context, struct kw_bytes bytes)
{
    struct kw_redis *redis = context;
    struct kw_resp_answer answer;
    enum kw_resp_state state = KW_RESP_ANSWER;

    if (!kw_resp_feed(redis->resp, bytes)) {
        fail(redis, UNREACHABLE, "an answer without end");
        return;
    }
    while (redis->stream != NULL && state == KW_RESP_ANSWER) {
        state = kw_resp_next(redis->resp, &answer);
        if (state == KW_RESP_BROKEN || (state == KW_RESP_ANSWER && redis->first == NULL)) {
            fail(redis, UNREACHABLE, "an answer that makes no sense");
        } else if (state == KW_RESP_ANSWER) {
            take_answer(redis, &answer);
        }
    }
    watch(redis);
}

/* --- logging in --- */

static void become_up(struct kw_redis *redis)
{
    redis->state = UP;
    redis->told = NONE;
    kw_timer_stop(&redis->timer);
    kw_metric_add(KW_M_REQUEST_CACHE_CONNECTS, "connected", 1);
    KW_LOG(INFO, "request cache connected", KW_F_STR("host", redis->host),
           KW_F_BOOL("tls", redis->trust.context != NULL));
}

static void on_login(void *user, enum kw_redis_outcome outcome, struct kw_bytes value)
{
    struct kw_redis *redis = user;

    (void)value;
    if (outcome == KW_REDIS_DONE) {
        redis->backoff_ms = KW_REQUEST_CACHE_RECONNECT_MIN_MS;
        become_up(redis);
    } else if (outcome != KW_REDIS_LOST) {
        fail(redis, PASSWORD, "AUTH was not answered by OK");
    }
}

/* ACL of Redis: https://redis.io/docs/management/security/acl. */
static void log_in(struct kw_redis *redis)
{
    struct kw_bytes words[3] = {kw_bytes_str("AUTH")};
    size_t count = 1;

    if (redis->user != NULL) {
        words[count++] = kw_bytes_str(redis->user);
    }
    words[count++] = kw_secret_bytes(&redis->password);
    redis->state = LOGGING_IN;
    if (send_words(redis, words, count, on_login, redis) == NULL) {
        fail(redis, UNREACHABLE, "memory");
    }
}

static void on_open(void *context)
{
    struct kw_redis *redis = context;

    if (redis->password.len > 0) {
        log_in(redis);
    } else {
        become_up(redis);
    }
}

/* --- the beginning of a connection --- */

static struct kw_result attach(struct kw_redis *redis, const struct sockaddr *address,
                               struct kw_error *err)
{
    const struct kw_redis_stream_events events = {
        .open = on_open, .bytes = on_bytes, .ended = on_ended, .context = redis};
    const struct kw_redis_stream_target target = {
        .address = address, .path = redis->host, .host = redis->host, .tls = redis->trust.context};

    KW_TRY(kw_resp_new(&redis->resp, err));
    return kw_redis_stream_open(redis->loop, &target, &events, &redis->stream, err);
}

static void connect_to(struct kw_redis *redis, const struct sockaddr *address)
{
    struct kw_error error;

    redis->state = CONNECTING;
    kw_timer_start(&redis->timer, KW_REQUEST_CACHE_STALL_MS, 0);
    if (!kw_ok(attach(redis, address, &error))) {
        fail(redis, UNREACHABLE, error.message);
    }
}

const struct sockaddr *kw_redis_next_address(const struct addrinfo *addresses, unsigned *turn)
{
    const struct addrinfo *address = addresses;

    for (unsigned i = 0; i < *turn; i++) {
        address = address->ai_next;
        if (address == NULL) {
            address = addresses;
            *turn = 0;
        }
    }
    (*turn)++;
    return address->ai_addr;
}

static void close_timer(struct kw_redis *redis);

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct kw_redis *redis = KW_CONTAINER_OF(request, struct kw_redis, resolve);

    redis->resolving = false;
    if (redis->closing) {
        close_timer(redis);
    } else if (status != 0) {
        fail(redis, UNREACHABLE, uv_strerror(status));
    } else {
        connect_to(redis, kw_redis_next_address(addresses, &redis->turn));
    }
    uv_freeaddrinfo(addresses);
}

static void begin_connect(struct kw_redis *redis)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int rc;

    if (redis->trust.context != NULL) {
        kw_redis_trust_refresh(&redis->trust);
    }
    if (redis->port == NULL) {
        connect_to(redis, NULL);
        return;
    }
    redis->state = RESOLVING;
    rc = uv_getaddrinfo(kw_loop_uv(redis->loop), &redis->resolve, on_resolved, redis->host,
                        redis->port, &hints);
    redis->resolving = rc == 0;
    if (rc != 0) {
        fail(redis, UNREACHABLE, uv_strerror(rc));
    }
}

/* --- time --- */

static void expire(struct kw_redis *redis)
{
    uint64_t now_ns = kw_clock_mono_ns();
    struct kw_redis_command *first = redis->first;

    if (first != NULL && now_ns - first->sent_ns >= KW_REQUEST_CACHE_STALL_MS * KW_NS_PER_MS) {
        fail(redis, UNREACHABLE, "no answer for too long");
        return;
    }
    for (struct kw_redis_command *command = first, *next; command != NULL; command = next) {
        next = command->next;
        if (now_ns - command->sent_ns >= KW_REQUEST_CACHE_COMMAND_MS * KW_NS_PER_MS) {
            tell(command, KW_REDIS_LATE, KW_BYTES_NONE);
        }
    }
    watch(redis);
}

static void on_timer(struct kw_timer *timer)
{
    struct kw_redis *redis = KW_CONTAINER_OF(timer, struct kw_redis, timer);

    switch (redis->state) {
    case WAITING:
        begin_connect(redis);
        break;
    case CONNECTING:
    case LOGGING_IN:
        fail(redis, kw_redis_stream_in_handshake(redis->stream) ? TLS : UNREACHABLE,
             "no answer for too long");
        break;
    case UP:
        expire(redis);
        break;
    case RESOLVING:
        break;
    }
}

/* --- making and ending it --- */

static struct kw_result set_address(struct kw_redis *redis, const char *address,
                                    struct kw_error *err)
{
    const char *colon = strrchr(address, ':');

    if (address[0] == '/') {
        redis->host = strdup(address);
        KW_ENSURE(redis->host != NULL, err, MEMORY, "redis");
        return KW_OK;
    }
    KW_ENSURE(colon != NULL && colon > address && colon[1] != '\0', err, CONFIG_INVALID,
              "redis: %s is neither host:port nor the path of a socket", address);
    if (address[0] == '[' && colon[-1] == ']') {
        redis->host = strndup(address + 1, (size_t)(colon - address) - 2);
    } else {
        redis->host = strndup(address, (size_t)(colon - address));
    }
    redis->port = strdup(colon + 1);
    KW_ENSURE(redis->host != NULL && redis->port != NULL, err, MEMORY, "redis");
    return KW_OK;
}

static struct kw_result set_login(struct kw_redis *redis, const struct kw_redis_options *options,
                                  struct kw_error *err)
{
    KW_ENSURE(options->user == NULL || options->password_file != NULL, err, CONFIG_INVALID,
              "redis_user needs redis_password_file");
    if (options->user != NULL) {
        redis->user = strdup(options->user);
        KW_ENSURE(redis->user != NULL, err, MEMORY, "redis");
    }
    return options->password_file == NULL
               ? KW_OK
               : kw_secret_from_file(&redis->password, options->password_file, err);
}

static struct kw_result set_trust(struct kw_redis *redis, const struct kw_redis_options *options,
                                  struct kw_error *err)
{
    KW_ENSURE(options->tls || options->ca_file == NULL, err, CONFIG_INVALID,
              "redis_ca_file is for redis_tls");
    if (!options->tls) {
        return KW_OK;
    }
    KW_ENSURE(redis->port != NULL, err, CONFIG_INVALID,
              "redis_tls: %s is a socket of this machine, without a name to certify", redis->host);
    return kw_redis_trust_init(&redis->trust, options->ca_file, err);
}

static struct kw_result set_all(struct kw_redis *redis, const struct kw_redis_options *options,
                                struct kw_error *err)
{
    KW_TRY(set_address(redis, options->address, err));
    KW_TRY(set_trust(redis, options, err));
    return set_login(redis, options, err);
}

static void redis_free(struct kw_redis *redis)
{
    kw_redis_trust_done(&redis->trust);
    kw_secret_done(&redis->password);
    free(redis->user);
    free(redis->host);
    free(redis->port);
    free(redis);
}

struct kw_result kw_redis_new(struct kw_loop *loop, const struct kw_redis_options *options,
                              struct kw_redis **ret_redis, struct kw_error *err)
{
    struct kw_redis *redis = calloc(1, sizeof(*redis));
    struct kw_result set;

    KW_ENSURE(redis != NULL, err, MEMORY, "redis");
    set = set_all(redis, options, err);
    if (!kw_ok(set)) {
        redis_free(redis);
        return set;
    }
    redis->loop = loop;
    redis->tail = &redis->first;
    redis->backoff_ms = KW_REQUEST_CACHE_RECONNECT_MIN_MS;
    kw_timer_init(&redis->timer, loop, on_timer);
    begin_connect(redis);
    *ret_redis = redis;
    return KW_OK;
}

static void on_timer_closed(struct kw_timer *timer)
{
    struct kw_redis *redis = KW_CONTAINER_OF(timer, struct kw_redis, timer);
    void (*closed)(void *context) = redis->closed;
    void *context = redis->closed_context;

    redis_free(redis);
    closed(context);
}

static void close_timer(struct kw_redis *redis)
{
    kw_timer_close(&redis->timer, on_timer_closed);
}

void kw_redis_close(struct kw_redis *redis, void (*closed)(void *context), void *context)
{
    redis->closing = true;
    redis->closed = closed;
    redis->closed_context = context;
    let_go(redis);
    if (!redis->resolving) {
        close_timer(redis);
    }
}
