/* The two ends of the hop tests. */
#include "tests/support/hop_fixture.h"

#include "common/base/clock.h"
#include "tests/support/leaks.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS 5

static const char *const outer_ids[] = {OUTER_ID, NULL};
static const char *const inner_ids[] = {INNER_ID, NULL};
static uint8_t zeros[KW_BODY_LEN_MAX + 1];

/* --- the inner end --- */

static void inner_cancel(struct kw_hop_call *call, void *user)
{
    struct hop_fixture *fx = user;

    fx->cancelled++;
    fx->sink = fx->sink == call ? NULL : fx->sink;
}

static void relay_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct hop_fixture *fx = user;

    fx->received += item.data.len;
    cr_assert(kw_hop_send(call, item));
    kw_hop_consume(call, item.data.len);
}

static void relay_end(struct kw_hop_call *call, void *user)
{
    const struct kw_hop_status success = {.reason = KW_E_NONE};
    struct hop_fixture *fx = user;

    fx->ended++;
    kw_hop_finish(call, &success, kw_bytes_str("bye"));
}

static void sink_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct hop_fixture *fx = user;

    (void)call;
    fx->received += item.data.len;
}

static void source_more(struct kw_hop_call *call, void *user)
{
    const struct kw_hop_status success = {.reason = KW_E_NONE};
    struct hop_fixture *fx = user;

    while (fx->sent_items < SOURCE_ITEMS) {
        if (!kw_hop_send(call, (struct kw_hop_item){.data = KW_BYTES(zeros, SOURCE_ITEM_LEN)})) {
            return;
        }
        fx->sent_items++;
    }
    kw_hop_finish(call, &success, KW_BYTES_NONE);
}

static void refuse(struct kw_hop_call *call)
{
    const struct kw_hop_status status = {
        .reason = KW_E_KEY_STATE,
        .field = "device",
        .description = "suspended",
        .retry_after_ms = 77,
    };

    kw_hop_finish(call, &status, kw_bytes_str("context of the status"));
}

static void serve(struct kw_hop_call *call, const struct kw_hop_open *open, struct hop_fixture *fx)
{
    static const struct kw_hop_events parked = {.cancel = inner_cancel};
    static const struct kw_hop_events relay = {
        .data = relay_data, .end = relay_end, .cancel = inner_cancel};
    static const struct kw_hop_events sink = {
        .data = sink_data, .end = relay_end, .cancel = inner_cancel};
    static const struct kw_hop_events source = {.writable = source_more, .cancel = inner_cancel};
    const struct kw_hop_item huge = {.data = KW_BYTES(zeros, sizeof(zeros))};

    switch ((enum hop_method)open->method) {
    case HOP_ECHO:
        kw_hop_reply(call, open->item);
        break;
    case HOP_PARK:
        kw_hop_serve(call, &parked, fx);
        break;
    case HOP_RELAY:
        kw_hop_serve(call, &relay, fx);
        break;
    case HOP_LINK:
    case HOP_SINK:
        fx->sink = call;
        kw_hop_serve(call, &sink, fx);
        break;
    case HOP_SOURCE:
        kw_hop_serve(call, &source, fx);
        source_more(call, fx);
        break;
    case HOP_REFUSE:
        refuse(call);
        break;
    case HOP_HUGE:
        kw_hop_reply(call, huge);
        break;
    case HOP_TOO_BIG:
        kw_hop_serve(call, &parked, fx);
        cr_assert(kw_hop_send(call, huge));
        break;
    }
}

static void on_open(struct kw_hop_call *call, const struct kw_hop_peer *peer,
                    const struct kw_hop_open *open, void *context)
{
    struct hop_fixture *fx = context;

    fx->opened++;
    fx->trace_seen = kw_bytes_equal(open->trace, kw_bytes_str("trace"));
    snprintf(fx->seen_peer, sizeof(fx->seen_peer), "%s", peer->spiffe_id);
    cr_assert(kw_id_equal(peer->boot_id, fx->boot_id));
    serve(call, open, fx);
}

void hop_start_inner(struct hop_fixture *fx)
{
    char listen[32];
    struct kw_error error = {0};
    struct kw_hop_server_options options = {
        .listen = listen,
        .credentials_dir = fx->inner_dir,
        .trust_domain = "test",
        .peers = outer_ids,
        .handler = {.open = on_open, .context = fx},
    };

    snprintf(listen, sizeof(listen), "127.0.0.1:%d", fx->port);
    cr_assert(kw_ok(kw_hop_server_new(fx->rpc, &options, &fx->server, &fx->port, &error)), "%s",
              error.message);
}

static void inner_closed(void *context)
{
    struct hop_fixture *fx = context;

    fx->server = NULL;
}

void hop_stop_inner(struct hop_fixture *fx)
{
    kw_hop_server_close(fx->server, inner_closed, fx);
    HOP_EVENTUALLY(fx, fx->server == NULL);
}

/* --- the outer end --- */

static void on_state(bool connected, struct kw_id peer_boot_id, void *context)
{
    struct hop_fixture *fx = context;

    fx->peer_boot_id = peer_boot_id;
    fx->connects += connected ? 1 : 0;
    fx->losses += connected ? 0 : 1;
}

struct kw_result hop_start_outer_to(struct hop_fixture *fx, const char *const *targets)
{
    const struct kw_hop_client_options options = {
        .targets = targets,
        .credentials_dir = fx->outer_dir,
        .trust_domain = "test",
        .peer = INNER_ID,
        .state = on_state,
        .context = fx,
    };

    return kw_hop_client_new(fx->rpc, &options, &fx->client, NULL);
}

void hop_start_outer(struct hop_fixture *fx)
{
    char target[32];
    const char *const targets[] = {target, NULL};

    snprintf(target, sizeof(target), "127.0.0.1:%d", fx->port);
    cr_assert(kw_ok(hop_start_outer_to(fx, targets)));
}

void hop_up(struct hop_fixture *fx)
{
    hop_start_inner(fx);
    hop_start_outer(fx);
    HOP_EVENTUALLY(fx, kw_hop_client_connected(fx->client));
}

static void outcome_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct hop_outcome *outcome = user;

    outcome->items++;
    outcome->bytes += item.data.len;
    kw_buf_clear(&outcome->last);
    cr_assert(kw_ok(kw_buf_append(&outcome->last, item.data, NULL)));
    if (outcome->consume) {
        kw_hop_consume(call, item.data.len);
    }
}

static void outcome_writable(struct kw_hop_call *call, void *user)
{
    struct hop_outcome *outcome = user;

    (void)call;
    outcome->writables++;
}

static void outcome_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                           struct kw_bytes context, void *user)
{
    struct hop_outcome *outcome = user;

    cr_assert(eq(ptr, call, outcome->call));
    outcome->call = NULL;
    outcome->statuses++;
    outcome->reason = status->reason;
    snprintf(outcome->field, sizeof(outcome->field), "%s", status->field);
    snprintf(outcome->description, sizeof(outcome->description), "%s", status->description);
    outcome->retry_after_ms = status->retry_after_ms;
    cr_assert(kw_ok(kw_buf_append(&outcome->context, context, NULL)));
}

struct kw_result hop_call(struct hop_fixture *fx, struct hop_outcome *outcome,
                          enum hop_method method, struct kw_bytes data, bool end,
                          uint64_t timeout_ms)
{
    static const struct kw_hop_events events = {
        .data = outcome_data, .writable = outcome_writable, .status = outcome_status};
    const struct kw_hop_open open = {
        .method = method,
        .deadline_ns = kw_clock_mono_ns() + timeout_ms * KW_NS_PER_MS,
        .trace = kw_bytes_str("trace"),
        .item = {.data = data},
        .has_item = data.data != NULL,
        .end = end,
        .kept = fx->kept,
    };

    outcome->fx = fx;
    return kw_hop_open(fx->client, &open, &events, outcome, &outcome->call, NULL);
}

void hop_outcome_done(struct hop_outcome *outcome)
{
    kw_buf_done(&outcome->last);
    kw_buf_done(&outcome->context);
}

/* --- the house --- */

struct kw_client *hop_outer_client(const struct hop_fixture *fx)
{
    char target[32];
    char files[3][96];
    struct kw_client *client = NULL;
    const struct kw_client_options options = {.target = target,
                                              .key_file = files[0],
                                              .cert_file = files[1],
                                              .ca_file = files[2],
                                              .peer = INNER_ID};

    snprintf(target, sizeof(target), "127.0.0.1:%d", fx->port);
    snprintf(files[0], sizeof(files[0]), "%s/key.pem", fx->outer_dir);
    snprintf(files[1], sizeof(files[1]), "%s/cert.pem", fx->outer_dir);
    snprintf(files[2], sizeof(files[2]), "%s/ca.pem", fx->outer_dir);
    cr_assert(kw_ok(kw_client_new(&options, &client, NULL)));
    return client;
}

static void on_tick(struct kw_timer *timer)
{
    (void)timer; /* only wakes the loop so that a condition is looked at */
}

void hop_turn(struct hop_fixture *fx)
{
    (void)uv_run(kw_loop_uv(fx->loop), UV_RUN_ONCE);
}

static void *turn_thread(void *context)
{
    struct hop_fixture *fx = context;

    while (!atomic_load(&fx->aside_ends)) {
        hop_turn(fx);
    }
    return NULL;
}

void hop_turn_aside(struct hop_fixture *fx)
{
    atomic_store(&fx->aside_ends, false);
    cr_assert(eq(int, pthread_create(&fx->aside, NULL, turn_thread, fx), 0));
    fx->aside_runs = true;
}

void hop_turn_here(struct hop_fixture *fx)
{
    if (fx->aside_runs) {
        atomic_store(&fx->aside_ends, true);
        pthread_join(fx->aside, NULL);
        fx->aside_runs = false;
    }
}

void hop_fixture_init(struct hop_fixture *fx)
{
    memset(fx, 0, sizeof(*fx));
    snprintf(fx->dir, sizeof(fx->dir), "/tmp/kw-hop-XXXXXX");
    cr_assert(ne(ptr, mkdtemp(fx->dir), NULL));
    snprintf(fx->outer_dir, sizeof(fx->outer_dir), "%s/outer", fx->dir);
    snprintf(fx->inner_dir, sizeof(fx->inner_dir), "%s/inner", fx->dir);
    test_ca_init(&fx->ca, "services");
    test_credentials(fx->outer_dir, &fx->ca, &fx->ca, outer_ids);
    test_credentials(fx->inner_dir, &fx->ca, &fx->ca, inner_ids);
    cr_assert(kw_ok(kw_id_random(&fx->boot_id, NULL)));
    cr_assert(kw_ok(kw_loop_new(&fx->loop, NULL)));
    kw_timer_init(&fx->tick, fx->loop, on_tick);
    kw_timer_start(&fx->tick, TICK_MS, TICK_MS);
    cr_assert(kw_ok(kw_rpc_new(fx->loop, fx->boot_id, &fx->rpc, NULL)));
}

static void outer_closed(void *context)
{
    struct hop_fixture *fx = context;

    fx->client = NULL;
}

static void rpc_closed(void *context)
{
    struct hop_fixture *fx = context;

    fx->rpc_closed = true;
}

/* kw_loop_free aborts when a handle is left open: every test checks that by ending here. */
void hop_fixture_done(struct hop_fixture *fx)
{
    if (fx->client != NULL) {
        kw_hop_client_close(fx->client, outer_closed, fx);
        HOP_EVENTUALLY(fx, fx->client == NULL);
    }
    if (fx->server != NULL) {
        hop_stop_inner(fx);
    }
    kw_rpc_close(fx->rpc, rpc_closed, fx);
    HOP_EVENTUALLY(fx, fx->rpc_closed);
    kw_timer_close(&fx->tick, NULL);
    kw_loop_stop(fx->loop);
    kw_loop_run(fx->loop);
    kw_loop_free(fx->loop);
    kw_rpc_free(fx->rpc);
    test_ca_done(&fx->ca);
    test_credentials_remove(fx->outer_dir);
    test_credentials_remove(fx->inner_dir);
    rmdir(fx->dir);
    test_no_leaks();
}
