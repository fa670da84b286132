/* An authz whose feed its replicator reads. */
#include "common/feed_service/feed_service_internal.h"
#include "services/authz/member_merge.h"
#include "tests/component/authz_fixture.h"
#include "tests/support/feed_service_fixture.h"

#include <keyward/v1/status_service.pb-c.h>
#include <stdio.h>

#define BATCH KEYWARD__INTERNAL__V1__FEED_READ__FEED_READ_BATCH

static struct authz_fixture fx;
static struct feed_house house; /* of it only what asks */
static struct house_owner *owner;
static char path[96];

static void dial(const char *service)
{
    char target[32];
    char credentials[96];
    const char *const targets[] = {target, NULL};
    const struct kw_hop_client_options options = {.targets = targets,
                                                  .credentials_dir = credentials,
                                                  .trust_domain = "test",
                                                  .peer = "spiffe://test/region/" REGION
                                                          "/cell/" CELL "/svc/authz"};

    (void)snprintf(credentials, sizeof(credentials), "%s/%s", fx.dir, service);
    (void)snprintf(target, sizeof(target), "127.0.0.1:%d", kw_authz_service_feed_port(fx.service));
    MUST(kw_hop_client_new(fx.rpc, &options, &owner->client, err));
}

static void on_closed(void *context)
{
    (void)context;
    owner->client = NULL;
}

static void hang_up(void)
{
    if (owner->client != NULL) {
        kw_hop_client_close(owner->client, on_closed, NULL);
        HOUSE_EVENTUALLY(&house, owner->client == NULL);
    }
}

static void init(void)
{
    authz_fixture_init(&fx);
    authz_fixture_credentials(&fx, "replicator");
    house = (struct feed_house){.hop = {.loop = fx.loop}};
    owner = &house.owners[0];
    owner->house = &house;
}

static void done(void)
{
    hang_up();
    authz_fixture_done(&fx);
}

TestSuite(authz_feed, .init = init, .fini = done, .timeout = 60);

/* A new cell, whose store is known by its place from the beginning. */
static void serve(void)
{
    authz_fixture_stop(&fx);
    (void)snprintf(path, sizeof(path), "%s/lane.pem", fx.dir);
    fx.config.lane_key_file = path;
    fx.config.feed_listen = (char *)(uintptr_t) "127.0.0.1:0";
    authz_fixture_start(&fx);
}

/* Is this member in what was read? */
static bool has_member(const struct asking *read, struct kw_id member)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_lane_batch batch;
    bool has = false;

    MUST(kw_lane_batch_decode(kw_buf_bytes(&read->record), arena, &batch, err));
    for (size_t i = 0; i < batch.count; i++) {
        struct kw_record record;

        has = has ||
              (kw_ok(kw_record_decode(&kw_member_record, batch.changes[i].record, &record, NULL)) &&
               kw_bytes_equal(record.key, kw_id_bytes(&member)));
    }
    kw_arena_free(arena);
    return has;
}

Test(authz_feed, its_replicator_is_told_and_reads_what_was_changed)
{
    struct listening listening = {0};
    struct asking read = {0};
    struct actor partner;

    serve();
    dial("replicator");
    HOUSE_EVENTUALLY(&house, kw_hop_client_connected(owner->client));
    house_listen(owner, &listening);
    HOUSE_EVENTUALLY(&house, listening.vouchers == 1 && listening.lane_count > 0);
    authz_actor_make(&fx, KW_ROLE_PARTNER, &partner);
    authz_member_put(&fx, &partner);
    for (size_t i = 0; i < listening.lane_count && !(read.record.len > 0); i++) {
        asking_done(&read);
        read = (struct asking){0};
        house_read(owner, &read, listening.lanes[i].lane, 0);
    }
    cr_assert(eq(int, read.read, BATCH));
    cr_assert(eq(str, (char *)house_told(&listening, read.lane)->region, REGION));
    HOUSE_EVENTUALLY(&house, house_told(&listening, read.lane)->seq >= read.seq);
    cr_assert(has_member(&read, partner.id));
    asking_done(&read);
    authz_actor_done(&partner);
    house_hang_up(&listening);
}

Test(authz_feed, its_gateway_may_not_read_it)
{
    serve();
    dial("gateway");
    HOUSE_EVENTUALLY(&house, kw_hop_client_stats(owner->client).failed_connects > 0);
    cr_assert(not(kw_hop_client_connected(owner->client)));
}

Test(authz_feed, without_the_lanes_key_nothing_is_told)
{
    fx.config.feed_listen = (char *)(uintptr_t) "127.0.0.1:0";
    authz_fixture_stop(&fx);
    cr_assert(not(authz_fixture_try(&fx)));
    fx.config.feed_listen = NULL;
    cr_assert(authz_fixture_try(&fx));
    cr_assert(zero(int, kw_authz_service_feed_port(fx.service)));
}

Test(authz_feed, it_drains_with_a_replicator_that_listens)
{
    struct listening listening = {0};

    serve();
    dial("replicator");
    HOUSE_EVENTUALLY(&house, kw_hop_client_connected(owner->client));
    house_listen(owner, &listening);
    HOUSE_EVENTUALLY(&house, listening.lane_count > 0);
    fx.drained = false;
    kw_authz_service_drain(fx.service);
    HOUSE_EVENTUALLY(&house, fx.drained && listening.call == NULL);
    cr_assert(eq(int, listening.reason, KW_E_DRAINING));
    house_hang_up(&listening);
}

static enum kw_reason get_partner(void)
{
    Keyward__V1__GetPartnerRequest body = KEYWARD__V1__GET_PARTNER_REQUEST__INIT;

    body.name = fx.partner.name;
    return authz_ask(&fx, &(struct question){.method = KW_METHOD_GET_PARTNER,
                                             .body = &body.base,
                                             .caller = &fx.officer})
        .reason;
}

static enum kw_reason get_status(void)
{
    Keyward__V1__GetStatusRequest body = KEYWARD__V1__GET_STATUS_REQUEST__INIT;

    return authz_ask(&fx, &(struct question){.method = KW_METHOD_GET_STATUS,
                                             .body = &body.base,
                                             .caller = &fx.officer})
        .reason;
}

/* Nothing is decided by rows that may not all be here, nor after a restart. */
Test(authz_feed, who_joins_refuses_everybody_until_it_is_done)
{
    serve();
    cr_assert(eq(int, get_partner(), KW_E_NONE));
    kw_feed_joining_begin(fx.authz->feed_service, (struct kw_id){{0xd0}}, false);
    HOUSE_EVENTUALLY(&house, kw_feed_service_joins(fx.authz->feed_service));
    cr_assert(eq(int, get_partner(), KW_E_STORE_JOINING));
    cr_assert(eq(int, get_status(), KW_E_NONE), "it is to be seen");
    authz_fixture_restart(&fx);
    HOUSE_EVENTUALLY(&house, kw_feed_service_joins(fx.authz->feed_service));
    cr_assert(eq(int, get_partner(), KW_E_STORE_JOINING));
}
