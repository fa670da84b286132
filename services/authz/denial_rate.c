/* Slots by certificate, and what each is holding back. */
#include "services/authz/denial_rate.h"

#include "common/base/codec.h"

#include <stdio.h>
#include <string.h>

#define MS_PER_S 1000U

static void release(struct kw_denial_rate *rate, struct kw_denial_slot *slot,
                    const struct kw_denial_sink *sink)
{
    if (slot->held.times > 0) {
        sink->write(&slot->held, sink->context);
        slot->held.times = 0;
        rate->holding--;
    }
}

static bool is_another(const struct kw_denial_slot *slot, const struct kw_denial *denial)
{
    return slot->held.times > 0 && !slot->mixed &&
           !kw_bytes_equal(KW_BYTES_OF(slot->held.fingerprint), KW_BYTES_OF(denial->fingerprint));
}

static void count(struct kw_denial_rate *rate, struct kw_denial_slot *slot,
                  const struct kw_denial *denial)
{
    uint64_t times = slot->held.times;

    rate->holding += times == 0 ? 1 : 0;
    slot->held = *denial;
    slot->held.times = times + 1;
    if (slot->mixed) {
        memset(slot->held.fingerprint, 0, sizeof(slot->held.fingerprint));
        slot->held.caller[0] = '\0';
        (void)snprintf(slot->held.detail, sizeof(slot->held.detail), "of several certificates");
    }
}

void kw_denial_rate_take(struct kw_denial_rate *rate, const struct kw_denial *denial,
                         const struct kw_denial_sink *sink)
{
    struct kw_denial_slot *slot =
        &rate->slots[kw_be32_load(denial->fingerprint) % KW_DENIAL_CALLERS];
    uint64_t second = denial->time_ms / MS_PER_S;

    if (slot->second != second) {
        release(rate, slot, sink);
        *slot = (struct kw_denial_slot){.second = second};
    }
    if (slot->written < KW_DENIALS_PER_CALLER_S) {
        slot->written++;
        sink->write(denial, sink->context);
        return;
    }
    if (is_another(slot, denial)) {
        slot->mixed = slot->pushed_out == KW_DENIALS_PER_CALLER_S;
        if (!slot->mixed) {
            slot->pushed_out++;
            release(rate, slot, sink);
        }
    }
    count(rate, slot, denial);
}

void kw_denial_rate_sweep(struct kw_denial_rate *rate, uint64_t now_ms, bool all,
                          const struct kw_denial_sink *sink)
{
    for (size_t i = 0; i < KW_DENIAL_CALLERS && rate->holding > 0; i++) {
        if (all || rate->slots[i].second < now_ms / MS_PER_S) {
            release(rate, &rate->slots[i], sink);
        }
    }
}
