/* Look-ups and puts: a MAC over everything that goes to Redis, and checked on everything that comes
 * back. */
#include "services/gateway/cache/request_cache.h"

#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"

#include <stdio.h>
#include <stdlib.h>

#define DECIMAL_SIZE 12

struct kw_request_cache {
    struct kw_redis *redis;
    struct kw_secret secret;
    void (*closed)(void *context);
    void *closed_context;
};

struct kw_cache_get {
    struct kw_request_cache *cache;
    struct kw_redis_command *command;
    struct kw_cache_key key;
    void (*done)(void *user, bool found, struct kw_bytes outcome);
    void *user;
};

struct kw_result kw_request_cache_new(struct kw_loop *loop, const struct kw_redis_options *options,
                                      const char *key_file, struct kw_request_cache **ret_cache,
                                      struct kw_error *err)
{
    struct kw_request_cache *cache = calloc(1, sizeof(*cache));
    struct kw_result result;

    KW_ENSURE(cache != NULL, err, MEMORY, "request cache");
    result = kw_cache_secret_load(key_file, &cache->secret, err);
    if (kw_ok(result)) {
        result = kw_redis_new(loop, options, &cache->redis, err);
    }
    if (!kw_ok(result)) {
        kw_secret_done(&cache->secret);
        free(cache);
        return result;
    }
    *ret_cache = cache;
    return KW_OK;
}

static void on_redis_closed(void *context)
{
    struct kw_request_cache *cache = context;
    void (*closed)(void *context) = cache->closed;
    void *closed_context = cache->closed_context;

    kw_secret_done(&cache->secret);
    free(cache);
    closed(closed_context);
}

void kw_request_cache_close(struct kw_request_cache *cache, void (*closed)(void *context),
                            void *context)
{
    cache->closed = closed;
    cache->closed_context = context;
    kw_redis_close(cache->redis, on_redis_closed, cache);
}

bool kw_request_cache_is_up(const struct kw_request_cache *cache)
{
    return kw_redis_is_up(cache->redis);
}

struct kw_result kw_request_cache_key(const struct kw_request_cache *cache,
                                      const struct kw_request_name *name,
                                      struct kw_cache_key *ret_key, struct kw_error *err)
{
    return kw_cache_key_make(&cache->secret, name, ret_key, err);
}

/* What the metric calls this look-up; sets the outcome when it is a hit. */
static const char *judge(const struct kw_cache_get *get, enum kw_redis_outcome how,
                         struct kw_bytes value, bool *ret_found, struct kw_bytes *ret_outcome)
{
    struct kw_error error;

    *ret_found = false;
    switch (how) {
    case KW_REDIS_DONE:
    case KW_REDIS_NIL:
        return "miss";
    case KW_REDIS_REFUSED:
        return "refused";
    case KW_REDIS_LATE:
        return "late";
    case KW_REDIS_LOST:
        return "down";
    case KW_REDIS_VALUE:
        break;
    }
    if (kw_ok(kw_cache_value_open(&get->cache->secret, &get->key, value, ret_outcome, &error))) {
        *ret_found = true;
        return "hit";
    }
    KW_LOG(WARN, "cached value dropped", KW_F_STR("key", get->key.text), KW_F_ERR(&error));
    return "forged";
}

static void on_value(void *user, enum kw_redis_outcome how, struct kw_bytes value)
{
    struct kw_cache_get *get = user;
    struct kw_bytes outcome = KW_BYTES_NONE;
    bool found;
    const char *result = judge(get, how, value, &found, &outcome);

    kw_metric_add(KW_M_REQUEST_CACHE, result, 1);
    get->done(get->user, found, outcome);
    free(get);
}

struct kw_cache_get *
kw_request_cache_get(struct kw_request_cache *cache, const struct kw_cache_key *key,
                     void (*done)(void *user, bool found, struct kw_bytes outcome), void *user)
{
    const struct kw_bytes words[] = {kw_bytes_str("GET"), kw_bytes_str(key->text)};
    struct kw_cache_get *get = calloc(1, sizeof(*get));

    if (get != NULL) {
        *get = (struct kw_cache_get){.cache = cache, .key = *key, .done = done, .user = user};
        get->command = kw_redis_send(cache->redis, words, 2, on_value, get);
    }
    if (get == NULL || get->command == NULL) {
        kw_metric_add(KW_M_REQUEST_CACHE, "down", 1);
        free(get);
        return NULL;
    }
    return get;
}

void kw_request_cache_forget(struct kw_cache_get *get)
{
    if (get != NULL) {
        kw_redis_forget(get->command);
        free(get);
    }
}

/* One who may not write would never be missed: everything works without. */
static void on_kept(void *user, enum kw_redis_outcome how, struct kw_bytes value)
{
    (void)user;
    (void)value;
    if (how == KW_REDIS_REFUSED) {
        kw_metric_add(KW_M_REQUEST_CACHE, "refused", 1);
    }
}

void kw_request_cache_put(struct kw_request_cache *cache, const struct kw_cache_key *key,
                          struct kw_bytes outcome)
{
    KW_SCOPED(kw_buf_done) struct kw_buf value = {0};
    char ttl[DECIMAL_SIZE];

    if (outcome.len > KW_REQUEST_CACHE_OUTCOME_LEN_MAX || !kw_redis_is_up(cache->redis) ||
        !kw_ok(kw_cache_value_seal(&cache->secret, key, outcome, &value, NULL))) {
        return;
    }
    (void)snprintf(ttl, sizeof(ttl), "%u", KW_REQUEST_CACHE_TTL_S);
    (void)kw_redis_send(cache->redis,
                        (const struct kw_bytes[]){kw_bytes_str("SETEX"), kw_bytes_str(key->text),
                                                  kw_bytes_str(ttl), kw_buf_bytes(&value)},
                        4, on_kept, NULL);
}
