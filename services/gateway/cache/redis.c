/* The connection's life:
 *
 *     WAITING ──back-off over──▶ RESOLVING ──▶ CONNECTING ──▶ LOGGING_IN ──▶ UP
 *        ▲                          │              │              │          │
 *        └──────── failed ──────────┴── too late ──┴── refused ───┴── lost ──┘
 *
 * Who needs no password is UP when it is connected. hiredis keeps a password until it is sent, in memory
 * that is not wiped; this process can't be dumped.
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

#include <hiredis/adapters/libuv.h>
#include <hiredis/async.h>
#include <stdlib.h>

#define WORDS_MAX 8

enum state {
    WAITING,
    RESOLVING,
    CONNECTING,
    LOGGING_IN,
    UP
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
    char *host;                /* or the socket's path */
    char *port;                /* NULL: a Unix socket */
    char *user;                /* NULL: the one that Redis calls default */
    struct kw_secret password; /* empty: none is asked for */
    bool refused;              /* the password, since it was last taken: told once */
    bool announced;            /* that it is connected */
    uint32_t backoff_ms;
    struct kw_timer timer; /* the back-off, the connect, the oldest command */
    uv_getaddrinfo_t resolve;
    redisAsyncContext *context; /* NULL unless CONNECTING or UP */
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

/* The answer to the oldest command, or NULL when the connection has ended. */
static void on_reply(redisAsyncContext *context, void *reply_pointer, void *user)
{
    struct kw_redis_command *command = user;
    struct kw_redis *redis = command->redis;
    const redisReply *reply = reply_pointer;

    (void)context;
    (void)take_first(redis);
    if (reply == NULL) {
        tell(command, KW_REDIS_LOST, KW_BYTES_NONE);
    } else if (reply->type == REDIS_REPLY_STRING) {
        tell(command, KW_REDIS_VALUE, KW_BYTES(reply->str, reply->len));
    } else if (reply->type == REDIS_REPLY_STATUS) {
        tell(command, KW_REDIS_DONE, KW_BYTES_NONE);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        tell(command, KW_REDIS_REFUSED, KW_BYTES_NONE);
    } else {
        tell(command, KW_REDIS_NIL, KW_BYTES_NONE);
    }
    free(command);
    if (!redis->closing) {
        watch(redis);
    }
}

static struct kw_redis_command *send_words(struct kw_redis *redis, const struct kw_bytes *words,
                                           size_t count, kw_redis_done done, void *user)
{
    const char *texts[WORDS_MAX];
    size_t lens[WORDS_MAX];
    struct kw_redis_command *command = calloc(1, sizeof(*command));

    if (command == NULL) {
        return NULL;
    }
    *command = (struct kw_redis_command){
        .redis = redis, .sent_ns = kw_clock_mono_ns(), .done = done, .user = user};
    for (size_t i = 0; i < count; i++) {
        texts[i] = (const char *)words[i].data;
        lens[i] = words[i].len;
    }
    if (redisAsyncCommandArgv(redis->context, on_reply, command, (int)count, texts, lens) !=
        REDIS_OK) {
        free(command);
        return NULL;
    }
    *redis->tail = command;
    redis->tail = &command->next;
    redis->pending++;
    watch(redis);
    return command;
}

struct kw_redis_command *kw_redis_send(struct kw_redis *redis, const struct kw_bytes *words,
                                       size_t count, kw_redis_done done, void *user)
{
    return kw_redis_is_up(redis) && count <= WORDS_MAX ? send_words(redis, words, count, done, user)
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

/* --- answers that nobody asked for --- */

/* hiredis aborts the process when an answer comes and no command waits for one. So no such answer
 * is ever made: it is told that there is no memory for it, upon which it ends the connection. */
static const redisReplyObjectFunctions *plain;

static bool is_asked(const redisReadTask *task)
{
    const struct kw_redis *redis = task->privdata;

    return task->parent != NULL || redis->first != NULL;
}

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
    return is_asked(task) ? plain->createString(task, text, len) : NULL;
}

/* No command of ours is answered by an array; and how long one gets is for Redis to say. */
static void *create_array(const redisReadTask *task, int count)
{
    (void)task;
    (void)count;
    return NULL;
}

static void *create_integer(const redisReadTask *task, long long value)
{
    return is_asked(task) ? plain->createInteger(task, value) : NULL;
}

static void *create_nil(const redisReadTask *task)
{
    return is_asked(task) ? plain->createNil(task) : NULL;
}

static void guard(struct kw_redis *redis, redisReader *reader)
{
    static redisReplyObjectFunctions guarded;

    plain = reader->fn;
    guarded = *plain;
    guarded.createString = create_string;
    guarded.createArray = create_array;
    guarded.createInteger = create_integer;
    guarded.createNil = create_nil;
    reader->fn = &guarded;
    reader->privdata = redis;
}

/* --- answers that are too long --- */

/* hiredis believes any length that is announced, and keeps what comes until it is reached. This runs
 * after each read, before what was read is looked at. */
static void add_read(void *events_pointer)
{
    const redisLibuvEvents *events = events_pointer;
    redisReader *reader = events->context->c.reader;

    if (reader->len > KW_REQUEST_CACHE_BUFFER_MAX) {
        kw_metric_add(KW_M_LIMITS_REACHED, "cache_reply", 1);
        reader->err = REDIS_ERR_PROTOCOL; /* it ends the connection */
    } else {
        redisLibuvAddRead(events_pointer);
    }
}

/* --- the connection --- */

static void begin_connect(struct kw_redis *redis);

static void wait_and_connect(struct kw_redis *redis)
{
    redis->context = NULL;
    if (redis->closing) {
        return;
    }
    redis->state = WAITING;
    kw_timer_start(&redis->timer, redis->backoff_ms, 0);
    redis->backoff_ms = redis->backoff_ms * 2 < KW_REQUEST_CACHE_RECONNECT_MAX_MS
                            ? redis->backoff_ms * 2
                            : KW_REQUEST_CACHE_RECONNECT_MAX_MS;
}

/* Every command under way is told LOST. */
static void cut(struct kw_redis *redis)
{
    redisAsyncContext *context = redis->context;
    bool connected = redis->state == UP || redis->state == LOGGING_IN;

    if (context == NULL) {
        return;
    }
    redis->context = NULL;
    redis->state = WAITING;
    redisAsyncFree(context);
    if (!connected) {
        wait_and_connect(redis); /* on_disconnect is for those that were connected */
    }
}

static void become_up(struct kw_redis *redis)
{
    redis->state = UP;
    redis->backoff_ms = KW_REQUEST_CACHE_RECONNECT_MIN_MS;
    redis->refused = false;
    redis->announced = true;
    kw_timer_stop(&redis->timer);
    KW_LOG(INFO, "request cache connected", KW_F_STR("host", redis->host));
}

static void on_login(void *user, enum kw_redis_outcome outcome, struct kw_bytes value)
{
    struct kw_redis *redis = user;

    (void)value;
    if (redis->closing || outcome == KW_REDIS_LOST) {
        return;
    }
    if (outcome == KW_REDIS_DONE) {
        become_up(redis);
        return;
    }
    if (!redis->refused) {
        redis->refused = true;
        KW_LOG(ERROR, "request cache refuses our password", KW_F_STR("host", redis->host));
    }
    cut(redis);
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
        cut(redis);
    }
}

/* hiredis frees the context after this and after on_disconnect. */
static void on_connect(const redisAsyncContext *context, int status)
{
    struct kw_redis *redis = context->data;

    if (status != REDIS_OK) {
        wait_and_connect(redis);
    } else if (redis->password.len > 0) {
        log_in(redis);
    } else {
        become_up(redis);
    }
}

static void on_disconnect(const redisAsyncContext *context, int status)
{
    struct kw_redis *redis = context->data;

    (void)status;
    if (redis->announced && !redis->closing) {
        KW_LOG(WARN, "request cache lost", KW_F_STR("host", redis->host));
    }
    redis->announced = false;
    wait_and_connect(redis);
}

static void attach(struct kw_redis *redis, redisAsyncContext *context)
{
    if (context == NULL) {
        wait_and_connect(redis);
        return;
    }
    context->data = redis;
    if (context->err != 0 || redisLibuvAttach(context, kw_loop_uv(redis->loop)) != REDIS_OK) {
        redisAsyncFree(context);
        wait_and_connect(redis);
        return;
    }
    context->ev.addRead = add_read;
    guard(redis, context->c.reader);
    redis->state = CONNECTING;
    redis->context = context;
    kw_timer_start(&redis->timer, KW_REQUEST_CACHE_STALL_MS, 0);
    (void)redisAsyncSetDisconnectCallback(context, on_disconnect);
    (void)redisAsyncSetConnectCallback(context, on_connect);
}

static void connect_address(struct kw_redis *redis, const struct addrinfo *address)
{
    char host[INET6_ADDRSTRLEN];
    char port[NI_MAXSERV];

    if (getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        wait_and_connect(redis);
        return;
    }
    attach(redis, redisAsyncConnect(host, (int)strtol(port, NULL, 10)));
}

static void close_timer(struct kw_redis *redis);

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct kw_redis *redis = KW_CONTAINER_OF(request, struct kw_redis, resolve);

    redis->resolving = false;
    if (redis->closing) {
        close_timer(redis);
    } else if (status != 0) {
        wait_and_connect(redis);
    } else {
        connect_address(redis, addresses);
    }
    uv_freeaddrinfo(addresses);
}

/* hiredis would look the name up itself, and block the loop meanwhile. */
static void begin_connect(struct kw_redis *redis)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};

    if (redis->port == NULL) {
        attach(redis, redisAsyncConnectUnix(redis->host));
        return;
    }
    redis->state = RESOLVING;
    redis->resolving = uv_getaddrinfo(kw_loop_uv(redis->loop), &redis->resolve, on_resolved,
                                      redis->host, redis->port, &hints) == 0;
    if (!redis->resolving) {
        wait_and_connect(redis);
    }
}

/* --- time --- */

static void expire(struct kw_redis *redis)
{
    uint64_t now_ns = kw_clock_mono_ns();
    struct kw_redis_command *first = redis->first;

    if (first != NULL && now_ns - first->sent_ns >= KW_REQUEST_CACHE_STALL_MS * KW_NS_PER_MS) {
        cut(redis);
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
        cut(redis);
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

static struct kw_result set_all(struct kw_redis *redis, const struct kw_redis_options *options,
                                struct kw_error *err)
{
    KW_TRY(set_address(redis, options->address, err));
    return set_login(redis, options, err);
}

static void redis_free(struct kw_redis *redis)
{
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
    cut(redis);
    if (!redis->resolving) {
        close_timer(redis);
    }
}
