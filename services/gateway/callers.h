/* Callers: what each certificate has in flight and how often it calls. In memory, of this process
 * alone: a limit against mistakes and greed, not accounting. Loop thread. */
#ifndef KW_SERVICES_GATEWAY_CALLERS_H
#define KW_SERVICES_GATEWAY_CALLERS_H

#include "common/base/bytes.h"
#include "common/crypto/digest.h"
#include "services/gateway/rate.h"

struct kw_caller_limits {
    uint32_t calls;            /* in flight, all callers */
    uint32_t calls_per_caller; /* in flight, one caller */
    uint32_t per_second;       /* begun in a second, one caller */
    /* Is this leaf (DER) an operator's or auditor's? Asked once for each caller that is new. For
     * them a part of `calls` is kept (KW_GATEWAY_OFFICERS_SHARE): whoever revokes must get through
     * when partners ask for more than there is. */
    bool (*officer)(struct kw_bytes certificate, void *context);
    void *context;
};

/* One caller: a client certificate. */
struct kw_caller {
    uint8_t fingerprint[KW_SHA256_LEN];
    bool used;
    bool officer;
    uint32_t in_flight;
    uint64_t last_ms;
    struct kw_rate rate;
};

struct kw_callers;

/* Fails: MEMORY, SYSTEM. Release by kw_callers_free. */
struct kw_result kw_callers_new(const struct kw_caller_limits *limits,
                                struct kw_callers **ret_callers, struct kw_error *err);
void kw_callers_free(struct kw_callers *callers);

/* A call of this certificate (leaf, DER) begins; `ret_caller` is given to kw_callers_leave when it
 * ends. Fails: RATE_LIMITED; then `ret_retry_ms` says when to come again. CRYPTO. */
struct kw_result kw_callers_enter(struct kw_callers *callers, struct kw_bytes certificate,
                                  uint64_t now_ms, struct kw_caller **ret_caller,
                                  uint32_t *ret_retry_ms, struct kw_error *err);
void kw_callers_leave(struct kw_callers *callers, struct kw_caller *caller);

#endif
