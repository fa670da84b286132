/* A table of fixed size: each fingerprint has KW_GATEWAY_CALLERS_WAYS places where it may be. The
 * caller that was silent longest gives its place to a new one, and with it its window; one with
 * calls in flight never does. */
#include "services/gateway/callers.h"

#include "common/base/codec.h"
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "common/base/random.h"

#include <stdlib.h>

#define SETS (KW_GATEWAY_CALLERS_MAX / KW_GATEWAY_CALLERS_WAYS)

struct kw_callers {
    struct kw_caller_limits limits;
    uint8_t salt[KW_SHA256_LEN]; /* of this process: nobody can tell which callers share a set */
    uint32_t in_flight;
    struct kw_caller table[SETS][KW_GATEWAY_CALLERS_WAYS];
};

struct kw_result kw_callers_new(const struct kw_caller_limits *limits,
                                struct kw_callers **ret_callers, struct kw_error *err)
{
    struct kw_callers *callers = calloc(1, sizeof(*callers));
    struct kw_result salted;

    KW_ENSURE(callers != NULL, err, MEMORY, "table of callers");
    salted = kw_random(callers->salt, sizeof(callers->salt), err);
    if (!kw_ok(salted)) {
        free(callers);
        return salted;
    }
    callers->limits = *limits;
    *ret_callers = callers;
    return KW_OK;
}

void kw_callers_free(struct kw_callers *callers)
{
    free(callers);
}

/* By a salted digest: it spreads evenly, whoever chose the certificates. */
static struct kw_result set_of(struct kw_callers *callers, const uint8_t *fingerprint,
                               struct kw_caller **ret_set, struct kw_error *err)
{
    const struct kw_bytes parts[] = {KW_BYTES_OF(callers->salt),
                                     KW_BYTES(fingerprint, KW_SHA256_LEN)};
    uint8_t digest[KW_SHA256_LEN];

    KW_TRY(kw_sha256_list(parts, sizeof(parts) / sizeof(parts[0]), digest, err));
    *ret_set = callers->table[kw_be32_load(digest) % SETS];
    return KW_OK;
}

static struct kw_caller *find(struct kw_caller *set, const uint8_t *fingerprint)
{
    for (size_t i = 0; i < KW_GATEWAY_CALLERS_WAYS; i++) {
        if (set[i].used &&
            kw_bytes_equal(KW_BYTES_OF(set[i].fingerprint), KW_BYTES(fingerprint, KW_SHA256_LEN))) {
            return &set[i];
        }
    }
    return NULL;
}

static struct kw_caller *oldest_idle(struct kw_caller *set)
{
    struct kw_caller *best = NULL;

    for (size_t i = 0; i < KW_GATEWAY_CALLERS_WAYS; i++) {
        struct kw_caller *caller = &set[i];

        if (!caller->used) {
            return caller;
        }
        if (caller->in_flight == 0 && (best == NULL || caller->last_ms < best->last_ms)) {
            best = caller;
        }
    }
    return best;
}

static struct kw_caller *find_or_make(struct kw_callers *callers, struct kw_caller *set,
                                      const uint8_t *fingerprint, struct kw_bytes certificate)
{
    struct kw_caller *caller = find(set, fingerprint);

    if (caller == NULL) {
        caller = oldest_idle(set);
        if (caller != NULL) {
            *caller = (struct kw_caller){
                .used = true,
                .officer = callers->limits.officer(certificate, callers->limits.context)};
            kw_copy(caller->fingerprint, fingerprint, KW_SHA256_LEN);
        }
    }
    return caller;
}

/* How many may be in flight in all, when one of `caller` comes. */
static uint32_t calls_max(const struct kw_callers *callers, const struct kw_caller *caller)
{
    uint32_t all = callers->limits.calls;

    return caller != NULL && caller->officer ? all : all - all / KW_GATEWAY_OFFICERS_SHARE;
}

static struct kw_result admit(const struct kw_callers *callers, struct kw_caller *caller,
                              uint64_t now_ms, const char **ret_limit, uint32_t *ret_retry_ms,
                              struct kw_error *err)
{
    *ret_retry_ms = KW_GATEWAY_RETRY_MS;
    *ret_limit = "calls";
    KW_ENSURE(callers->in_flight < calls_max(callers, caller), err, RATE_LIMITED,
              "%u calls in flight", callers->in_flight);
    *ret_limit = "callers";
    KW_ENSURE(caller != NULL, err, RATE_LIMITED, "the table of callers is full");
    *ret_limit = "calls_per_caller";
    KW_ENSURE(caller->in_flight < callers->limits.calls_per_caller, err, RATE_LIMITED,
              "%u calls of this caller in flight", caller->in_flight);
    *ret_limit = "caller_rate";
    KW_ENSURE(kw_rate_take(&caller->rate, callers->limits.per_second, now_ms, ret_retry_ms), err,
              RATE_LIMITED, "more than %u calls a second", callers->limits.per_second);
    return KW_OK;
}

struct kw_result kw_callers_enter(struct kw_callers *callers, struct kw_bytes certificate,
                                  uint64_t now_ms, struct kw_caller **ret_caller,
                                  uint32_t *ret_retry_ms, struct kw_error *err)
{
    uint8_t fingerprint[KW_SHA256_LEN];
    struct kw_caller *set;
    struct kw_caller *caller;
    struct kw_result admitted;
    const char *limit;

    KW_TRY(kw_sha256(certificate, fingerprint, err));
    KW_TRY(set_of(callers, fingerprint, &set, err));
    caller = find_or_make(callers, set, fingerprint, certificate);
    admitted = admit(callers, caller, now_ms, &limit, ret_retry_ms, err);
    if (!kw_ok(admitted)) {
        kw_metric_add(KW_M_LIMITS_REACHED, limit, 1);
        return admitted;
    }
    caller->last_ms = now_ms;
    caller->in_flight++;
    callers->in_flight++;
    kw_metric_set(KW_M_QUEUE, "calls", callers->in_flight);
    *ret_caller = caller;
    return KW_OK;
}

void kw_callers_leave(struct kw_callers *callers, struct kw_caller *caller)
{
    caller->in_flight--;
    callers->in_flight--;
    kw_metric_set(KW_M_QUEUE, "calls", callers->in_flight);
}
