/* Timers: a uv timer in the caller's storage, safe to stop and close at any point of its life. */
#include "common/loop/loop.h"

static void on_fire(uv_timer_t *uv)
{
    struct kw_timer *timer = uv->data;

    timer->fire(timer);
}

static void on_closed(uv_handle_t *uv)
{
    struct kw_timer *timer = uv->data;

    timer->initialised = false;
    if (timer->closed != NULL) {
        timer->closed(timer);
    }
}

void kw_timer_init(struct kw_timer *timer, struct kw_loop *loop,
                   void (*fire)(struct kw_timer *timer))
{
    (void)uv_timer_init(kw_loop_uv(loop), &timer->uv);
    timer->uv.data = timer;
    timer->fire = fire;
    timer->closed = NULL;
    timer->initialised = true;
}

void kw_timer_start(struct kw_timer *timer, uint64_t after_ms, uint64_t repeat_ms)
{
    (void)uv_timer_start(&timer->uv, on_fire, after_ms, repeat_ms);
}

void kw_timer_stop(struct kw_timer *timer)
{
    if (timer->initialised) {
        (void)uv_timer_stop(&timer->uv);
    }
}

void kw_timer_close(struct kw_timer *timer, void (*closed)(struct kw_timer *timer))
{
    timer->closed = closed;
    if (timer->initialised) {
        uv_close((uv_handle_t *)&timer->uv, on_closed);
    } else if (closed != NULL) {
        closed(timer);
    }
}
