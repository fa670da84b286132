/* Who may link with a replicator, as whom, and what a peer that breaks the rules, or takes nothing, costs. The
 * peer is played by the test: eu/a, which calls eu/b. */
#include "common/base/metrics.h"
#include "common/rpc/methods.h"
#include "services/replicator/pieces.h"
#include "tests/support/replicator_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct rep_mesh mesh;
static struct rep_cell *const a = &mesh.cells[0], *const b = &mesh.cells[1];
static struct rep_peer peer;

static void setup(void)
{
    rep_init(&mesh, "eu/a eu/b us/b us/c");
    rep_start(b);
}

static void teardown(void)
{
    if (peer.client != NULL) {
        rep_peer_close(&peer);
    }
    rep_done(&mesh);
}

TestSuite(replicator_stranger, .init = setup, .fini = teardown, .timeout = 60);

static void come(void)
{
    rep_peer_connect(&peer, &mesh, b, a->credentials[0]);
}

static void greet(void)
{
    come();
    rep_peer_greet(&peer, a);
    REP_EVENTUALLY(&mesh, peer.frames[KW_FRAME_REACH] > 0);
}

/* It keeps the link alive, as it must within KW_LINK_SILENT_MS. */
static void live(void)
{
    const struct kw_frame reach = {.type = KW_FRAME_REACH};

    REQUIRE(peer.call != NULL, "the link has ended: %s", peer.why);
    (void)rep_peer_say(&peer, &reach, NULL);
    rep_turn(&mesh);
}

static void ends(const char *why)
{
    REP_EVENTUALLY(&mesh, peer.call == NULL);
    cr_assert_str_eq(peer.why, why);
}

/* --- who gets in --- */

static void assert_shut_out(const char *uri)
{
    const char *const uris[] = {uri, NULL};
    char dir[REP_TEXT];

    (void)snprintf(dir, sizeof(dir), "%s/stranger", mesh.dir);
    test_credentials(dir, &mesh.ca, &mesh.ca, uris);
    rep_peer_connect(&peer, &mesh, b, dir);
    REP_EVENTUALLY(&mesh, kw_hop_client_stats(peer.client).failed_connects > 0);
    cr_assert_not(kw_hop_client_connected(peer.client), "%s", uri);
    rep_peer_close(&peer);
    test_credentials_remove(dir);
}

Test(replicator_stranger, only_replicators_of_linked_cells_get_in)
{
    static const char *const uris[] = {
        "spiffe://test/region/us/cell/c/svc/replicator", /* not linked */
        "spiffe://test/region/eu/cell/b/svc/replicator", /* itself */
        "spiffe://test/region/eu/cell/z/svc/replicator", /* no cell */
        "spiffe://test/region/eu/cell/a/svc/authz",
        "spiffe://test/region/eu/cell/b/svc/authz",
        "spiffe://other/region/eu/cell/a/svc/replicator",
    };

    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
        assert_shut_out(uris[i]);
    }
    cr_assert_not(kw_replicator_service_linked(b->service, &a->place));
}

Test(replicator_stranger, a_certificate_of_another_ca_does_not_get_in)
{
    struct test_ca other;
    const char *const uris[] = {a->spiffe_id, NULL};
    char dir[REP_TEXT];

    (void)snprintf(dir, sizeof(dir), "%s/stranger", mesh.dir);
    test_ca_init(&other, "services");
    test_credentials(dir, &other, &mesh.ca, uris);
    rep_peer_connect(&peer, &mesh, b, dir);
    REP_EVENTUALLY(&mesh, kw_hop_client_stats(peer.client).failed_connects > 0);
    cr_assert_not(kw_hop_client_connected(peer.client));
    test_credentials_remove(dir);
    test_ca_done(&other);
}

Test(replicator_stranger, a_linked_cell_is_let_in)
{
    greet();
    cr_assert(kw_replicator_service_linked(b->service, &a->place));
    cr_assert_eq(peer.frames[KW_FRAME_HELLO], 1);
    cr_assert(kw_place_equal(&peer.hello.place, &b->place));
}

/* Of two cells one calls: what else would there be two links for? */
Test(replicator_stranger, who_should_be_called_may_not_call)
{
    rep_peer_connect(&peer, &mesh, b, mesh.cells[2].credentials[0]); /* us/b, which eu/b calls */
    rep_peer_call(&peer, KW_METHOD_LINK);
    ends("of these two cells the other one calls");
    cr_assert_eq(peer.reason, KW_E_PERMISSION_DENIED);
}

Test(replicator_stranger, there_is_nothing_else_to_be_called)
{
    static const uint32_t methods[] = {KW_METHOD_FEED_SUBSCRIBE, KW_METHOD_FEED_APPLY,
                                       KW_METHOD_GET_STATUS, 0, 9999};

    come();
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        rep_peer_call(&peer, methods[i]);
        REP_EVENTUALLY(&mesh, peer.call == NULL);
        cr_assert_eq(peer.reason, KW_E_METHOD_UNKNOWN);
    }
}

Test(replicator_stranger, without_owners_there_is_no_link)
{
    rep_stop(b);
    rep_owner_stop(&b->owners[0], &mesh);
    rep_owner_stop(&b->owners[1], &mesh);
    MUST(rep_begin(b, err));
    come();
    rep_peer_call(&peer, KW_METHOD_LINK);
    REP_EVENTUALLY(&mesh, peer.call == NULL);
    cr_assert_eq(peer.reason, KW_E_PEER_UNAVAILABLE);
    owner_start(&b->owners[0]); /* one is enough to begin with */
    REP_EVENTUALLY(&mesh, kw_replicator_service_has(b->service, KW_OWNER_AUTHZ));
    rep_peer_greet(&peer, a);
    REP_EVENTUALLY(&mesh, peer.frames[KW_FRAME_REACH] > 0);
    cr_assert_eq(b->ready, 0);
}

/* --- as whom --- */

static struct kw_link_hello honest(void)
{
    return (struct kw_link_hello){.place = a->place, .version = 1, .version_lowest = 1};
}

static void say_hello(const struct kw_frame *frame, const struct kw_link_hello *hello)
{
    come();
    rep_peer_call(&peer, KW_METHOD_LINK);
    REQUIRE(rep_peer_say(&peer, frame, hello), "a hello");
}

static struct kw_frame hello_frame(void)
{
    return (struct kw_frame){.type = KW_FRAME_HELLO,
                             .mesh = a->owners[0].mesh,
                             .stores = {a->owners[0].store, a->owners[1].store}};
}

Test(replicator_stranger, a_hello_of_another_place_is_cut)
{
    struct kw_link_hello hello = honest();
    struct kw_frame frame = hello_frame();

    hello.place = mesh.cells[2].place;
    say_hello(&frame, &hello);
    ends("it is not where its certificate says");
}

Test(replicator_stranger, a_hello_of_another_mesh_is_cut)
{
    struct kw_link_hello hello = honest();
    struct kw_frame frame = hello_frame();

    frame.mesh.bytes[3] ^= 1;
    say_hello(&frame, &hello);
    ends("another mesh");
}

Test(replicator_stranger, a_hello_of_our_own_store_is_cut)
{
    struct kw_link_hello hello = honest();
    struct kw_frame frame = hello_frame();

    frame.stores[1] = b->owners[1].store;
    say_hello(&frame, &hello);
    ends("it says it is us");
}

Test(replicator_stranger, a_hello_of_versions_that_we_do_not_know_is_cut)
{
    struct kw_link_hello hello = honest();
    struct kw_frame frame = hello_frame();

    hello.version = 9;
    hello.version_lowest = KW_LINK_VERSION + 1;
    say_hello(&frame, &hello);
    ends("no version that both know");
}

Test(replicator_stranger, a_release_ahead_is_a_peer)
{
    struct kw_link_hello hello = honest();
    struct kw_frame frame = hello_frame(), reach = {.type = KW_FRAME_REACH};

    hello.version = KW_LINK_VERSION + 1;
    say_hello(&frame, &hello);
    cr_assert(rep_peer_say(&peer, &reach, NULL));
    REP_EVENTUALLY(&mesh, peer.frames[KW_FRAME_REACH] > 1);
    cr_assert_not_null(peer.call);
}

/* --- what breaks the rules --- */

Test(replicator_stranger, what_is_no_piece_of_a_frame_is_cut)
{
    static uint8_t full[KW_BODY_LEN_MAX] = {1};
    static const struct {
        struct kw_bytes item;
    } rows[] = {
        {{(const uint8_t *)"", 0}},           {{(const uint8_t *)"\0", 1}},
        {{(const uint8_t *)"\1more", 5}},     {{(const uint8_t *)"\2what", 5}},
        {{(const uint8_t *)"\0\377\377", 3}}, {{full, sizeof(full) - 1}},
    };

    come();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rep_peer_call(&peer, KW_METHOD_LINK);
        cr_assert(rep_peer_item(&peer, rows[i].item));
        ends("it can't be read");
    }
    cr_assert_geq(rep_cuts("it_can't_be_read"), 6);
}

Test(replicator_stranger, a_frame_that_is_too_long_is_cut_before_it_is_whole)
{
    static uint8_t full[KW_BODY_LEN_MAX] = {1};
    unsigned said = 0;

    come();
    rep_peer_call(&peer, KW_METHOD_LINK);
    while (peer.call != NULL && said < 100) {
        said += rep_peer_item(&peer, KW_BYTES_OF(full));
        rep_turn(&mesh);
    }
    ends("it can't be read");
    cr_assert_leq(said, 8, "four are too many already; the rest was on its way");
}

Test(replicator_stranger, rules_of_the_mind_are_kept_too)
{
    struct kw_frame reach = {.type = KW_FRAME_REACH}, frame = hello_frame();
    struct kw_link_hello hello = honest();

    come();
    rep_peer_call(&peer, KW_METHOD_LINK);
    cr_assert(rep_peer_say(&peer, &reach, NULL));
    ends("no hello");
    rep_peer_greet(&peer, a);
    cr_assert(rep_peer_say(&peer, &frame, &hello));
    ends("a second hello");
}

Test(replicator_stranger, a_link_that_ends_or_says_nothing_is_cut)
{
    greet();
    kw_hop_end(peer.call);
    ends("it has ended the link");
    rep_peer_greet(&peer, a);
    ends("silent");
}

Test(replicator_stranger, a_newer_link_takes_the_place_of_the_one_before)
{
    struct rep_peer second;

    greet();
    rep_peer_connect(&second, &mesh, b, a->credentials[0]);
    rep_peer_greet(&second, a);
    ends("a newer link");
    REP_EVENTUALLY(&mesh, second.frames[KW_FRAME_REACH] > 0);
    cr_assert(kw_replicator_service_linked(b->service, &a->place));
    rep_peer_close(&second);
}

Test(replicator_stranger, what_our_owner_calls_forged_cuts_the_link)
{
    uint8_t room[64];
    const struct kw_frame batch = {
        .type = KW_FRAME_BATCH,
        .record = owner_batch(owner_lane_id(&a->owners[0]), 0, 1, sizeof(room), room)};

    greet();
    b->owners[0].verdict = KW_LANE_UNSIGNED;
    cr_assert(rep_peer_say(&peer, &batch, NULL));
    ends("unsigned");
    b->owners[0].verdict = 0;
    b->owners[0].wrong = OWNER_UNREADABLE;
    rep_peer_greet(&peer, a);
    cr_assert(rep_peer_say(&peer, &batch, NULL));
    ends("broken");
}

/* --- what a peer that takes nothing costs --- */

/* Time goes slower here: a link must not fall silent only because the machine is busy. */
static uint64_t slow_ns(void *unused)
{
    struct timespec now;

    (void)unused;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return ((uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec) / 8;
}

static uint64_t wall_ms(void *unused)
{
    (void)unused;
    return (uint64_t)time(NULL) * 1000;
}

static void setup_slow(void)
{
    static const struct kw_clock slow = {.mono_ns = slow_ns, .wall_ms = wall_ms};

    kw_clock_replace(&slow);
    setup();
}

TestSuite(replicator_cost, .init = setup_slow, .fini = teardown, .timeout = 120);

Test(replicator_cost, no_more_is_read_for_a_peer_than_it_takes)
{
    struct test_owner *owner = &b->owners[0];
    const size_t len = KW_BATCH_LEN_SOFT;
    uint64_t end_ns;

    owner->batch = 1;
    owner->padding = len;
    greet();
    peer.deaf = true;
    for (uint8_t i = 0; i < 20; i++) {
        owner_hold(owner, (struct kw_id){{'o', i}}, &b->place, 50);
    }
    end_ns = kw_clock_mono_ns() + REP_PATIENCE_NS;
    while (kw_metric_value(KW_M_LINK_QUEUE, "eu/a") < KW_LINK_QUEUE_LEN_SOFT) {
        cr_assert_lt(kw_clock_mono_ns(), end_ns, "the queue is not seen to be full");
        live();
    }
    for (int i = 0; i < 50; i++) {
        live();
    }
    cr_assert_leq(owner->reads * len,
                  KW_LINK_QUEUE_LEN_SOFT + KW_LINK_CREDIT_BYTES + (KW_LINK_READS_MAX + 10) * len,
                  "%u reads", owner->reads);
    kw_hop_consume(peer.call, peer.bytes);
    peer.bytes = 0;
    REP_EVENTUALLY(&mesh, peer.bytes > 0);
}

/* So a peer that brings urgent changes without end does not cut us off from one that is slow. */
Test(replicator_cost, urgent_changes_that_a_peer_does_not_take_are_left_to_their_lanes)
{
    static char urgent[KW_BODY_LEN_MAX - 1024];

    memset(urgent, 'u', sizeof(urgent) - 1);
    greet();
    peer.deaf = true;
    for (int i = 0; i < 2000 && kw_metric_value(KW_M_LIMITS_REACHED, "link_urgents") < 50; i++) {
        (void)owner_urgent(&b->owners[0], urgent);
        live();
    }
    cr_assert_leq(50, kw_metric_value(KW_M_LIMITS_REACHED, "link_urgents"));
    cr_assert_not_null(peer.call);
    kw_hop_consume(peer.call, peer.bytes);
    peer.bytes = 0;
    REP_EVENTUALLY(&mesh, peer.bytes > 0);
}

Test(replicator_cost, a_peer_for_which_too_much_waits_is_cut)
{
    static char voucher[KW_VOUCHER_LEN_MAX];
    int64_t limit = kw_metric_value(KW_M_LIMITS_REACHED, "link_queue");

    memset(voucher, 'v', sizeof(voucher) - 1);
    greet();
    peer.deaf = true;
    for (int i = 0; i < 4000 && peer.call != NULL; i++) {
        owner_vouch(&b->owners[0], voucher);
        live();
    }
    ends("it does not take what we send");
    cr_assert_gt(kw_metric_value(KW_M_LIMITS_REACHED, "link_queue"), limit);
}

/* The next change of eu/a's lane, in a long batch. False: not now. */
static bool bring(uint64_t number)
{
    uint8_t *room = malloc(KW_BATCH_LEN_SOFT / 2);
    const struct kw_frame batch = {.type = KW_FRAME_BATCH,
                                   .record = owner_batch(owner_lane_id(&a->owners[0]), number,
                                                         number + 1, KW_BATCH_LEN_SOFT / 2, room)};
    bool said = rep_peer_say(&peer, &batch, NULL);

    free(room);
    for (int i = 0; i < 5; i++) {
        rep_turn(&mesh);
    }
    return said;
}

/* Its credit is kept back while our owners have not judged what it brought, and given when they have. */
Test(replicator_cost, no_more_is_taken_from_a_peer_than_owners_judge)
{
    const size_t len = KW_BATCH_LEN_SOFT / 2;
    uint64_t said = 0, then;

    greet();
    b->owners[0].parks = true;
    while (said < 100 && bring(said)) {
        said++;
    }
    cr_assert_geq(said * len, KW_LINK_HELD_LEN_MAX);
    cr_assert_leq(said * len, KW_LINK_HELD_LEN_MAX + 2 * KW_LINK_CREDIT_BYTES);
    owner_unpark(&b->owners[0]);
    REP_EVENTUALLY(&mesh, owner_held(&b->owners[0], owner_lane_id(&a->owners[0])) == said);
    for (then = said; said < 2 * then;) {
        live();
        said += bring(said);
    }
    REP_EVENTUALLY(&mesh, owner_held(&b->owners[0], owner_lane_id(&a->owners[0])) == said);
}
