/* The loop: a lock-free mailbox (one stack that posters push to and the loop thread takes whole),
 * and flush hooks that run between a turn's callbacks and the next wait. */
#include "common/loop/loop.h"

#include <stdatomic.h>
#include <stdlib.h>

/* While mail keeps arriving it is delivered before anything is flushed, so that one write carries
 * all of it. Bounded, so that a flood of mail cannot starve sockets and timers. */
#define DELIVERY_ROUNDS_MAX 8

/* What the hooks' writes bring back at once is taken up before the wait; bounded for the same
 * reason. */
#define TURNS_MAX 8

struct kw_loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_prepare_t before_wait;        /* marks made by timers and closing handles */
    uv_check_t after_wait;           /* marks made by mail and sockets */
    _Atomic(struct kw_mail *) inbox; /* newest first */
    atomic_bool waiting;             /* or about to: a poster must wake it */
    struct kw_flush *marked;
    struct kw_flush **marked_tail;
    bool stopping;
};

static struct kw_mail *reversed(struct kw_mail *newest)
{
    struct kw_mail *oldest = NULL;

    while (newest != NULL) {
        struct kw_mail *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

/* Takes the inbox and delivers it in order. A mail may free itself, so `next` is read first. */
static bool deliver_once(struct kw_loop *loop)
{
    struct kw_mail *mail =
        reversed(atomic_exchange_explicit(&loop->inbox, NULL, memory_order_acquire));

    if (mail == NULL) {
        return false;
    }
    while (mail != NULL) {
        struct kw_mail *next = mail->next;

        mail->deliver(mail);
        mail = next;
    }
    return true;
}

/* Until nothing is marked: a hook may mark others, and the wait that follows must not leave them
 * behind. */
static void run_flushes(struct kw_loop *loop)
{
    while (loop->marked != NULL) {
        struct kw_flush *flush = loop->marked;

        loop->marked = flush->next;
        if (loop->marked == NULL) {
            loop->marked_tail = &loop->marked;
        }
        flush->marked = false;
        flush->run(flush);
    }
}

/* Everything that has arrived, then the hooks, once. */
static void turn(struct kw_loop *loop)
{
    int rounds = 0;

    while (deliver_once(loop) && ++rounds < DELIVERY_ROUNDS_MAX) {
    }
    run_flushes(loop);
}

static bool inbox_empty(struct kw_loop *loop)
{
    return atomic_load(&loop->inbox) == NULL;
}

/* Says that the loop is about to wait, and only then looks at the inbox for the last time. A poster
 * does the opposite (puts its mail down, then asks whether the loop waits), so one of the two sees
 * the other. */
static void on_before_wait(uv_prepare_t *prepare)
{
    struct kw_loop *loop = prepare->data;

    for (int i = 0; i < TURNS_MAX && (!inbox_empty(loop) || loop->marked != NULL); i++) {
        turn(loop);
    }
    if (loop->stopping && inbox_empty(loop) && !uv_is_closing((uv_handle_t *)&loop->wake)) {
        uv_close((uv_handle_t *)&loop->wake, NULL);
        return;
    }
    atomic_store(&loop->waiting, true);
    if (!inbox_empty(loop) && atomic_exchange(&loop->waiting, false)) {
        (void)uv_async_send(&loop->wake); /* the wait ends at once */
    }
}

static void on_after_wait(uv_check_t *check)
{
    struct kw_loop *loop = check->data;

    atomic_store(&loop->waiting, false);
    turn(loop);
}

static void on_wake(uv_async_t *wake)
{
    (void)wake; /* it has ended the wait: on_after_wait does the rest */
}

static void hooks_start(struct kw_loop *loop)
{
    loop->before_wait.data = loop;
    loop->after_wait.data = loop;
    (void)uv_prepare_init(&loop->uv, &loop->before_wait);
    (void)uv_check_init(&loop->uv, &loop->after_wait);
    (void)uv_prepare_start(&loop->before_wait, on_before_wait);
    (void)uv_check_start(&loop->after_wait, on_after_wait);
    uv_unref((uv_handle_t *)&loop->before_wait);
    uv_unref((uv_handle_t *)&loop->after_wait);
}

struct kw_result kw_loop_new(struct kw_loop **ret_loop, struct kw_error *err)
{
    struct kw_loop *loop = calloc(1, sizeof(*loop));
    int rc;

    KW_ENSURE(loop != NULL, err, MEMORY, "loop");
    loop->marked_tail = &loop->marked;
    loop->wake.data = loop;
    rc = uv_loop_init(&loop->uv);
    if (rc != 0) {
        free(loop);
        KW_FAIL(err, SYSTEM, "uv_loop_init: %s", uv_strerror(rc));
    }
    rc = uv_async_init(&loop->uv, &loop->wake, on_wake);
    if (rc != 0) {
        (void)uv_loop_close(&loop->uv);
        free(loop);
        KW_FAIL(err, SYSTEM, "uv_async_init: %s", uv_strerror(rc));
    }
    hooks_start(loop);
    *ret_loop = loop;
    return KW_OK;
}

void kw_loop_free(struct kw_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    if (!uv_is_closing((uv_handle_t *)&loop->wake)) {
        uv_close((uv_handle_t *)&loop->wake, NULL); /* a loop that never ran */
    }
    uv_close((uv_handle_t *)&loop->before_wait, NULL);
    uv_close((uv_handle_t *)&loop->after_wait, NULL);
    (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
    if (uv_loop_close(&loop->uv) != 0) {
        abort(); /* a handle outlives the loop: its memory is about to be used after the end */
    }
    free(loop);
}

void kw_loop_run(struct kw_loop *loop)
{
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void kw_loop_stop(struct kw_loop *loop)
{
    loop->stopping = true;
    (void)uv_async_send(
        &loop->wake); /* before the next wait the rest is delivered and `wake` closed */
}

void kw_loop_post(struct kw_loop *loop, struct kw_mail *mail)
{
    struct kw_mail *head = atomic_load_explicit(&loop->inbox, memory_order_relaxed);

    do {
        mail->next = head;
    } while (!atomic_compare_exchange_weak(&loop->inbox, &head, mail));
    if (atomic_load(&loop->waiting) && atomic_exchange(&loop->waiting, false)) {
        (void)uv_async_send(
            &loop->wake); /* a loop that is at work looks by itself before it waits */
    }
}

void kw_loop_mark(struct kw_loop *loop, struct kw_flush *flush)
{
    if (flush->marked) {
        return;
    }
    flush->marked = true;
    flush->next = NULL;
    *loop->marked_tail = flush;
    loop->marked_tail = &flush->next;
}

uv_loop_t *kw_loop_uv(struct kw_loop *loop)
{
    return &loop->uv;
}
