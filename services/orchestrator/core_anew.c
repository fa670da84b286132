/* When the process ends because of its link.
 *
 * A chain that broke stays broken: what belongs after its last receipt can't be known here. A new
 * one begins with another stream, which is another life of this process. So the process ends, and
 * whoever started it starts it again; all that was acknowledged or answered is durable.
 *
 * It lives for KW_ORCH_LIFE_MIN_MS at least. A core that breaks every chain then costs a restart now
 * and then and no storm of them, and in between, what needs no core is done: stops above all. */
#include "services/orchestrator/core_link_internal.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/limits.h"

static bool is_lost(const struct kw_core_link *link)
{
    return link->connected && !kw_core_link_ready(link) && !link->closing;
}

static uint64_t left_ms(const struct kw_core_link *link)
{
    uint64_t end_ns = link->born_ns + KW_ORCH_LIFE_MIN_MS * KW_NS_PER_MS;
    uint64_t now_ns = kw_clock_mono_ns();

    return end_ns > now_ns ? (end_ns - now_ns) / KW_NS_PER_MS + 1 : 0;
}

/* A core that has started anew meanwhile is a chain of its own, and the link is of use again. */
void kw_core_anew_watch(struct kw_core_link *link)
{
    if (is_lost(link)) {
        kw_timer_start(&link->anew_timer, left_ms(link), 0);
    } else if (!link->closing) {
        kw_timer_stop(&link->anew_timer);
    }
}

void kw_core_anew_fire(struct kw_timer *timer)
{
    struct kw_core_link *link = KW_CONTAINER_OF(timer, struct kw_core_link, anew_timer);

    if (is_lost(link) && link->broken != NULL) {
        link->broken(link->context);
    }
}
