/* The pump: one thread in grpc_completion_queue_next that turns every completion into mail for the
 * loop. */
#include "common/rpc/rpc.h"

#include "common/rpc/handover.h"
#include "common/rpc/tag.h"

#include <grpc/grpc_security.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct kw_rpc {
    struct kw_loop *loop;
    struct kw_id boot_id;
    grpc_completion_queue *queue;
    grpc_channel *anchor; /* goes nowhere; see anchor_make */
    pthread_t pump;
    struct kw_mail ended; /* from the pump, as its last act */
    void (*closed)(void *context);
    void *context;
};

static void deliver_tag(struct kw_mail *mail)
{
    struct kw_rpc_tag *tag = KW_CONTAINER(mail, struct kw_rpc_tag, mail);

    tag->done(tag, tag->ok);
}

static void *pump_thread(void *context)
{
    struct kw_rpc *rpc = context;

    (void)pthread_setname_np(pthread_self(), "kw-pump");
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(rpc->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);

        if (event.type == GRPC_QUEUE_SHUTDOWN) {
            break;
        }
        if (event.type == GRPC_OP_COMPLETE) {
            struct kw_rpc_tag *tag = event.tag;

            KW_TAKEN(tag);
            tag->ok = event.success != 0;
            kw_loop_post(rpc->loop, &tag->mail);
        }
    }
    kw_loop_post(rpc->loop, &rpc->ended);
    return NULL;
}

/* Joined here and not later: after `closed` the loop may end, and the pump must have left
 * kw_loop_post by then. */
static void deliver_ended(struct kw_mail *mail)
{
    struct kw_rpc *rpc = KW_CONTAINER(mail, struct kw_rpc, ended);

    (void)pthread_join(rpc->pump, NULL);
    grpc_completion_queue_destroy(rpc->queue);
    rpc->queue = NULL;
    if (rpc->closed != NULL) {
        rpc->closed(rpc->context);
    }
}

/* gRPC core 1.51 has one engine for all channels, makes it anew when a channel comes and none is
 * left, and aborts the process when there is no file descriptor for it then. So there is always a
 * channel: one that is never called, and so never connects. */
static grpc_channel *anchor_make(void)
{
    grpc_channel_credentials *none = grpc_insecure_credentials_create();
    grpc_channel *anchor = grpc_channel_create("ipv4:127.0.0.1:1", none, NULL);

    grpc_channel_credentials_release(none);
    return anchor;
}

/* gRPC's threads and the pump are born with every signal blocked: signals belong to the loop
 * thread. */
static int start_masked(struct kw_rpc *rpc)
{
    sigset_t all;
    sigset_t before;
    int rc;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    kw_grpc_start();
    rpc->anchor = anchor_make();
    rpc->queue = grpc_completion_queue_create_for_next(NULL);
    rc = pthread_create(&rpc->pump, NULL, pump_thread, rpc);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

struct kw_result kw_rpc_new(struct kw_loop *loop, struct kw_id boot_id, struct kw_rpc **ret_rpc,
                            struct kw_error *err)
{
    struct kw_rpc *rpc = calloc(1, sizeof(*rpc));
    int rc;

    KW_ENSURE(rpc != NULL, err, MEMORY, "rpc");
    rpc->loop = loop;
    rpc->boot_id = boot_id;
    rpc->ended.deliver = deliver_ended;
    rc = start_masked(rpc);
    if (rc != 0) {
        grpc_completion_queue_shutdown(rpc->queue);
        grpc_completion_queue_destroy(rpc->queue);
        grpc_channel_destroy(rpc->anchor);
        kw_grpc_stop();
        free(rpc);
        KW_FAIL(err, SYSTEM, "pthread_create: %s", strerror(rc));
    }
    *ret_rpc = rpc;
    return KW_OK;
}

void kw_rpc_close(struct kw_rpc *rpc, void (*closed)(void *context), void *context)
{
    rpc->closed = closed;
    rpc->context = context;
    grpc_completion_queue_shutdown(rpc->queue);
}

void kw_rpc_free(struct kw_rpc *rpc)
{
    if (rpc == NULL) {
        return;
    }
    grpc_channel_destroy(rpc->anchor);
    kw_grpc_stop();
    free(rpc);
}

grpc_completion_queue *kw_rpc_queue(struct kw_rpc *rpc)
{
    return rpc->queue;
}

struct kw_loop *kw_rpc_loop(struct kw_rpc *rpc)
{
    return rpc->loop;
}

struct kw_id kw_rpc_boot_id(const struct kw_rpc *rpc)
{
    return rpc->boot_id;
}

void *kw_rpc_arm(struct kw_rpc_tag *tag)
{
    tag->mail.deliver = deliver_tag;
    KW_GIVEN(tag);
    return tag;
}

/* What completes while it is started (a message that was here already, a write the socket took at
 * once) comes back through gRPC's cache for this thread: it need not wake the pump only to be
 * handed back. */
bool kw_rpc_start(struct kw_rpc *rpc, grpc_call *call, const grpc_op *ops, size_t count,
                  struct kw_rpc_tag *tag)
{
    grpc_call_error refused;
    void *finished;
    int ok;

    grpc_completion_queue_thread_local_cache_init(rpc->queue);
    refused = grpc_call_start_batch(call, ops, count, kw_rpc_arm(tag), NULL);
    if (grpc_completion_queue_thread_local_cache_flush(rpc->queue, &finished, &ok) != 0) {
        struct kw_rpc_tag *cached = finished;

        cached->ok = ok != 0;
        kw_loop_post(rpc->loop, &cached->mail);
    }
    return refused == GRPC_CALL_OK;
}
