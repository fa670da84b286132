/* Looking, and reading. */
#include "services/cryptocore/trust_watch.h"

#include "common/base/container.h"
#include "common/base/limits.h"
#include "common/base/log.h"

#include <limits.h>
#include <stdio.h>

#define SET "regions.kwg"

static void look(const struct kw_trust_watch *watch, struct kw_file_stamp *ret_seen)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/" SET, watch->dir);
    (void)kw_file_stamp_take(path, ret_seen);
}

static void read_again(struct kw_trust_watch *watch)
{
    struct kw_error error;

    if (kw_ok(kw_core_pki_callers(watch->pki, watch->dir, &error))) {
        KW_LOG(INFO, "callers of the regions of the mesh are believed");
    } else {
        KW_LOG(ERROR, "the regions of the mesh cannot be read", KW_F_ERR(&error));
    }
}

static void on_tick(struct kw_timer *timer)
{
    struct kw_trust_watch *watch = KW_CONTAINER_OF(timer, struct kw_trust_watch, timer);
    struct kw_file_stamp now;

    look(watch, &now);
    if (!kw_file_stamp_equal(&now, &watch->seen)) {
        watch->seen = now;
        read_again(watch);
    }
}

void kw_trust_watch_start(struct kw_trust_watch *watch, struct kw_loop *loop,
                          struct kw_core_pki *pki, const char *dir)
{
    watch->pki = pki;
    watch->dir = dir;
    kw_timer_init(&watch->timer, loop, on_tick);
    kw_timer_start(&watch->timer, KW_TRUST_WATCH_MS, KW_TRUST_WATCH_MS);
}

void kw_trust_watch_stop(struct kw_trust_watch *watch)
{
    kw_timer_close(&watch->timer, NULL);
}
