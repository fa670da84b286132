/* How a feed service begins and ends, whom it tells, and that it vouches for what is true. */
#include "common/base/metrics.h"
#include "common/feed_service/introduction.h"
#include "tests/support/feed_service_fixture.h"
#include "tests/support/must.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH      KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_BATCH
#define URGENT     KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_URGENT
#define VERDICT(v) KEYWARD__INTERNAL__V1__FEED_VERDICT__FEED_VERDICT_##v

static struct feed_house house;
static struct house_owner *owner;

static void set_up(void)
{
    house_init(&house, 1);
    owner = &house.owners[0];
}

static void tear_down(void)
{
    house_done(&house);
}

TestSuite(feed_service_life, .init = set_up, .fini = tear_down, .timeout = 60);

/* --- subscribers --- */

Test(feed_service_life, a_second_subscriber_takes_the_firsts_place)
{
    struct listening first = {0};
    struct listening second = {0};

    house_listen(owner, &first);
    HOUSE_EVENTUALLY(&house, first.lane_count > 0);
    house_listen(owner, &second);
    HOUSE_EVENTUALLY(&house, first.call == NULL && second.lane_count > 0);
    cr_assert(eq(int, first.reason, KW_E_STATE_CONFLICT));
    cr_assert(eq(uint, second.owners, 1));
    house_hang_up(&first);
    house_hang_up(&second);
}

static void on_drained(void *context)
{
    ((struct house_owner *)context)->drained = true;
}

Test(feed_service_life, draining_ends_the_subscription_and_answers_what_was_asked)
{
    struct lane_owner origin = lane_owner_new(5);
    struct listening listening = {0};
    struct asking asking = {0};

    house_put_store(owner, &origin.row);
    house_listen(owner, &listening);
    HOUSE_EVENTUALLY(&house, listening.lane_count > 0);
    house_apply_begin(owner, &asking);
    cr_assert(house_apply_piece(&asking, BATCH, lane_batch_bytes(&origin, 0, 5)));
    HOUSE_EVENTUALLY(&house, owner->service->applyings_len > 0);
    kw_feed_service_drain(owner->service, on_drained, owner);
    HOUSE_EVENTUALLY(&house, listening.call == NULL);
    cr_assert(eq(int, listening.reason, KW_E_DRAINING));
    cr_assert(not(owner->drained));
    kw_hop_end(asking.call);
    HOUSE_EVENTUALLY(&house, asking.call == NULL && owner->drained);
    cr_assert(eq(int, asking.verdict, VERDICT(NEWS)));
    house_hang_up(&listening);
}

/* --- ending amid work --- */

Test(feed_service_life, it_closes_with_everything_in_flight)
{
    struct lane_owner origin = lane_owner_new(5);
    struct kw_bytes batch = lane_batch_bytes(&origin, 0, 5);
    struct listening listening = {0};
    static struct asking askings[4 * KW_FEED_APPLIES_MAX];
    const size_t count = sizeof(askings) / sizeof(askings[0]);

    house_put_store(owner, &origin.row);
    house_listen(owner, &listening);
    for (size_t i = 0; i < count; i += 2) {
        house_apply_begin(owner, &askings[i]);
        cr_assert(house_apply_piece(&askings[i], BATCH, batch));
        if (i % 4 == 0) {
            kw_hop_end(askings[i].call);
        }
        house_read_begin(owner, &askings[i + 1], owner->lane, 0);
    }
    HOUSE_EVENTUALLY(&house, owner->service->applyings_running > 0);
    house_owner_close_service(owner);
    HOUSE_EVENTUALLY(&house, listening.call == NULL);
    for (size_t i = 0; i < count; i++) {
        HOUSE_EVENTUALLY(&house, askings[i].call == NULL);
        asking_done(&askings[i]);
    }
    house_hang_up(&listening);
}

static sem_t standing;
static sem_t released;

static struct kw_result run_and_stand(struct kw_store_job *job, struct kw_tx *tx,
                                      struct kw_error *err)
{
    (void)job;
    (void)tx;
    (void)err;
    sem_post(&standing);
    while (sem_wait(&released) != 0) {
    }
    return KW_OK;
}

static bool stands_still(void)
{
    int value = 0;

    return sem_getvalue(&standing, &value) == 0 && value > 0;
}

static void stood(struct kw_store_job *job)
{
    (void)job;
}

/* What is urgent goes ahead of batches, and not ahead of all that is written here. */
Test(feed_service_life, of_urgent_changes_only_some_are_at_the_store_at_a_time)
{
    static struct asking askings[2 * KW_FEED_APPLIES_MAX];
    const size_t count = sizeof(askings) / sizeof(askings[0]);
    struct lane_owner origin = lane_owner_new(5);
    struct kw_store_job stands = {.run = run_and_stand, .done = stood, .vital = true};
    struct kw_bytes urgent = lane_urgent_bytes(&origin, 4);

    house_put_store(owner, &origin.row);
    sem_init(&standing, 0, 0);
    sem_init(&released, 0, 0);
    MUST(kw_store_write(owner->store, &stands, err));
    for (size_t i = 0; i < count; i++) {
        house_apply_begin(owner, &askings[i]);
        cr_assert(house_apply_piece(&askings[i], URGENT, urgent));
        kw_hop_end(askings[i].call);
    }
    HOUSE_EVENTUALLY(&house, owner->service->applyings_len == count * urgent.len &&
                                 owner->service->urgents.first != NULL);
    cr_expect(eq(sz, owner->service->urgents_running, KW_FEED_APPLIES_MAX));
    sem_post(&released);
    for (size_t i = 0; i < count; i++) {
        HOUSE_EVENTUALLY(&house, askings[i].call == NULL);
        asking_done(&askings[i]);
    }
    cr_expect(eq(sz, owner->service->urgents_running, 0));
}

static void on_late_close(void *context)
{
    ((struct house_owner *)context)->closed = true;
}

Test(feed_service_life, it_is_not_closed_while_the_store_works_for_it)
{
    struct lane_owner origin = lane_owner_new(5);
    struct kw_store_job stands = {.run = run_and_stand, .done = stood, .vital = true};
    struct kw_feed_service *service = owner->service;
    struct asking asking = {0};

    house_put_store(owner, &origin.row);
    sem_init(&standing, 0, 0);
    sem_init(&released, 0, 0);
    MUST(kw_store_write(owner->store, &stands, err));
    house_apply_begin(owner, &asking);
    cr_assert(house_apply_piece(&asking, BATCH, lane_batch_bytes(&origin, 0, 5)));
    kw_hop_end(asking.call);
    HOUSE_EVENTUALLY(&house, service->applyings_running == 1 && stands_still());
    kw_feed_service_close(service, on_late_close, owner);
    HOUSE_EVENTUALLY(&house, asking.call == NULL && service->server == NULL);
    for (unsigned i = 0; i < 20; i++) {
        hop_turn(&house.hop);
    }
    cr_expect(not(owner->closed));
    sem_post(&released);
    HOUSE_EVENTUALLY(&house, owner->closed);
    owner->ended = service;
    owner->service = NULL;
}

Test(feed_service_life, it_is_there_again_after_a_restart_and_is_who_it_was)
{
    struct listening before = {0};
    struct listening after = {0};

    house_listen(owner, &before);
    HOUSE_EVENTUALLY(&house, before.vouchers > 0);
    house_disconnect(owner);
    house_owner_close(owner);
    house_owner_open(owner);
    MUST(house_owner_serve(owner, err));
    house_connect(owner, owner->replicator);
    HOUSE_EVENTUALLY(&house, kw_hop_client_connected(owner->client));
    house_listen(owner, &after);
    HOUSE_EVENTUALLY(&house, after.vouchers > 0 && after.lane_count > 0);
    cr_assert(kw_id_equal(before.store, after.store));
    cr_assert(kw_bytes_equal(kw_buf_bytes(&before.voucher), kw_buf_bytes(&after.voucher)));
    house_hang_up(&before);
    house_hang_up(&after);
}

/* --- vouching --- */

static struct kw_result run_new_life(struct house_job *job, struct kw_tx *tx, struct kw_error *err)
{
    return kw_feed_new_life(&job->owner->feed, tx, err);
}

Test(feed_service_life, a_new_life_is_vouched_for)
{
    struct listening listening = {0};
    struct kw_voucher voucher;

    house_listen(owner, &listening);
    HOUSE_EVENTUALLY(&house, listening.vouchers == 1 && listening.lane_count == 1);
    cr_assert(kw_ok(house_write_job(owner, run_new_life, NULL, NULL)));
    HOUSE_EVENTUALLY(&house, listening.vouchers == 2);
    cr_assert(kw_ok(kw_voucher_decode(kw_buf_bytes(&listening.voucher), &voucher, NULL)));
    cr_assert(kw_id_equal(voucher.incarnation, house_lane(owner, KW_ID_NONE).lane.incarnation));
    HOUSE_EVENTUALLY(&house, listening.lane_count == 2);
    house_hang_up(&listening);
}

Test(feed_service_life, a_new_certificate_is_vouched_with)
{
    struct listening listening = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf leaf = {0};
    struct kw_voucher voucher;

    house_listen(owner, &listening);
    HOUSE_EVENTUALLY(&house, listening.vouchers == 1);
    house_certify(owner, owner->credentials, "authz");
    owner->service->credentials_looked_ns = 0;
    HOUSE_EVENTUALLY(&house, listening.vouchers == 2);
    cr_assert(kw_ok(kw_voucher_decode(kw_buf_bytes(&listening.voucher), &voucher, NULL)));
    MUST(kw_certificate_to_der(&owner->identity.credentials.leaf, &leaf, err));
    cr_assert(kw_bytes_equal(voucher.chain[0], kw_buf_bytes(&leaf)));
    house_hang_up(&listening);
}

/* Its CA is in the set, on the disk. */
static void region_comes(void)
{
    struct kw_bytes cas = kw_buf_bytes(&owner->identity.credentials.ca_pem);
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/ca.pem", owner->credentials);
    file = fopen(path, "a");
    cr_assert(ne(ptr, file, NULL));
    cr_assert(lt(int, 0, fwrite(cas.data, cas.len, 1, file)));
    cr_assert(eq(int, fclose(file), 0));
}

static struct kw_result run_measure(struct house_job *job, struct kw_tx *tx, struct kw_error *err)
{
    (void)tx;
    (void)err;
    *(size_t *)job->out = job->owner->identity.credentials.ca_pem.len;
    return KW_OK;
}

/* How long they are. Credentials are the write jobs' own. */
static size_t cas_len(void)
{
    size_t len = 0;

    cr_assert(kw_ok(house_write_job(owner, run_measure, NULL, &len)));
    return len;
}

/* The certificate is as it was. */
Test(feed_service_life, another_set_of_cas_is_believed_under_the_same_certificate)
{
    struct listening listening = {0};
    size_t before = cas_len();

    house_listen(owner, &listening);
    HOUSE_EVENTUALLY(&house, listening.vouchers == 1);
    region_comes();
    owner->service->credentials_looked_ns = 0;
    HOUSE_EVENTUALLY(&house, cas_len() == 2 * before);
    HOUSE_EVENTUALLY(&house, !owner->service->introducing);
    house_hang_up(&listening);
}

/* Long before the next look is due: its voucher is told again soon. */
Test(feed_service_life, who_is_a_stranger_has_us_look_whom_we_believe)
{
    struct listening listening = {0};
    struct asking asking = {0};
    size_t before = cas_len();
    uint8_t *service;

    house_listen(owner, &listening);
    HOUSE_EVENTUALLY(&house, listening.vouchers == 1 && owner->service->credentials_looked_ns > 0);
    region_comes();
    service = memmem(listening.voucher.data, listening.voucher.len, "authz", 5);
    cr_assert(ne(ptr, service, NULL));
    service[0] = 'o';
    house_apply(owner, &asking, KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_VOUCHER,
                kw_buf_bytes(&listening.voucher));
    cr_assert(eq(int, asking.verdict, VERDICT(STRANGER)));
    HOUSE_EVENTUALLY(&house, cas_len() == 2 * before);
    HOUSE_EVENTUALLY(&house, !owner->service->introducing);
    asking_done(&asking);
    house_hang_up(&listening);
}

Test(feed_service_life, credentials_that_can_not_be_read_are_left_as_they_were)
{
    char path[128];
    struct listening listening = {0};

    house_listen(owner, &listening);
    HOUSE_EVENTUALLY(&house, listening.vouchers == 1);
    (void)snprintf(path, sizeof(path), "%s/key.pem", owner->credentials);
    MUST(unlink(path) == 0 ? KW_OK : KW_MAKE(err, SYSTEM, "no key"));
    owner->service->credentials_looked_ns = 0;
    HOUSE_EVENTUALLY(&house, owner->service->credentials_looked_ns > 0);
    cr_assert(eq(uint, listening.vouchers, 1));
    cr_assert(ne(ptr, owner->identity.credentials.leaf.x509, NULL));
    house_hang_up(&listening);
}

/* --- the lanes' key --- */

static struct kw_feed_identity_options identity_options(const char *key_file)
{
    return (struct kw_feed_identity_options){.trust_domain = "test",
                                             .region = owner->self.region,
                                             .cell = owner->self.cell,
                                             .service = "authz",
                                             .credentials_dir = owner->credentials,
                                             .lane_key_file = key_file};
}

Test(feed_service_life, the_lanes_key_is_made_once_for_us_alone)
{
    char path[128] = "";
    const struct kw_feed_identity_options options = identity_options(path);
    struct kw_feed_identity first = {0};
    struct kw_feed_identity second = {0};
    struct stat status;

    (void)snprintf(path, sizeof(path), "%s/new.pem", owner->dir);
    MUST(kw_feed_identity_load(&first, &options, err));
    cr_assert(zero(int, stat(path, &status)));
    cr_assert(eq(int, status.st_mode & 0777, 0600));
    MUST(kw_feed_identity_load(&second, &options, err));
    cr_assert(kw_bytes_equal(kw_spki_bytes(&first.trust.key), kw_spki_bytes(&second.trust.key)));
    kw_feed_identity_done(&first);
    kw_feed_identity_done(&second);
}

static enum kw_reason load(const char *key_file)
{
    const struct kw_feed_identity_options options = identity_options(key_file);
    struct kw_feed_identity identity = {0};
    struct kw_result loaded = kw_feed_identity_load(&identity, &options, NULL);

    cr_assert(eq(ptr, identity.key.evp, NULL));
    return loaded.reason;
}

Test(feed_service_life, a_lanes_key_that_others_can_read_or_is_none_is_refused)
{
    char path[128];
    char link_path[128];

    (void)snprintf(path, sizeof(path), "%s/new.pem", owner->dir);
    (void)snprintf(link_path, sizeof(link_path), "%s/none/at/all.pem", owner->dir);
    cr_assert(eq(int, load(NULL), KW_E_CONFIG_INVALID));
    cr_assert(eq(int, load(""), KW_E_CONFIG_INVALID));
    cr_assert(eq(int, load(owner->dir), KW_E_CONFIG_INVALID));
    cr_assert(eq(int, load(link_path), KW_E_SYSTEM));
    cr_assert(zero(int, chmod(owner->key_file, 0640)));
    cr_assert(eq(int, load(owner->key_file), KW_E_CONFIG_INVALID));
    cr_assert(zero(int, chmod(owner->key_file, 0600)));
    {
        KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
        FILE *file = fopen(path, "w");

        MUST(kw_private_key_to_pem(lane_p384(), &pem, err));
        cr_assert(eq(sz, fwrite(pem.data, 1, pem.len, file), pem.len));
        (void)fclose(file);
        cr_assert(zero(int, chmod(path, 0600)));
    }
    cr_assert(eq(int, load(path), KW_E_CONFIG_INVALID));
}

Test(feed_service_life, an_owner_that_is_to_know_the_officer_does_not_start_without)
{
    struct kw_feed_identity_options options = identity_options(owner->key_file);
    struct kw_feed_identity identity = {0};

    options.pki_dir = owner->dir; /* which has no such file */
    cr_assert(
        eq(int, kw_feed_identity_load(&identity, &options, NULL).reason, KW_E_CONFIG_INVALID));
    cr_assert(eq(ptr, identity.key.evp, NULL));
}

Test(feed_service_life, a_place_whose_name_no_link_can_carry_is_refused)
{
    struct kw_feed_identity_options options = identity_options(owner->key_file);
    struct kw_feed_identity identity = {0};

    options.cell = "a-cell-whose-name-has-thirty-three";
    cr_assert(
        eq(int, kw_feed_identity_load(&identity, &options, NULL).reason, KW_E_CONFIG_INVALID));
}

/* --- what waits --- */

static uint64_t metric(const char *name)
{
    KW_SCOPED(kw_buf_done) struct kw_buf text = {0};
    const char *at;

    MUST(kw_metrics_write(&text, err));
    MUST(kw_buf_append(&text, KW_BYTES("", 1), err));
    at = strstr((const char *)text.data, name);
    return at != NULL ? strtoull(at + strlen(name), NULL, 10) : UINT64_MAX;
}

Test(feed_service_life, what_waits_and_how_old_promises_are_is_shown)
{
    struct lane_owner origin = lane_owner_new(2);
    struct kw_record placed = lane_row_with(&origin, KW_STORE_FIELD_PLACE, kw_bytes_str("ap/b"));
    struct listening listening = {0};

    house_put_store(owner, &placed);
    cr_assert(eq(int, house_verdict(owner, BATCH, lane_batch_bytes(&origin, 0, 2)), VERDICT(NEWS)));
    house_listen(owner, &listening);
    HOUSE_EVENTUALLY(&house, metric("keyward_feed_waiting{where=\"quarantine\"} ") == 2);
    cr_assert(eq(u64, metric("keyward_feed_waiting{where=\"held\"} "), 0));
    cr_assert(eq(u64, metric("\nkeyward_feed_lanes "), 2));
    cr_assert(
        lt(u64, 1000000000U, metric("keyward_feed_promise_age_milliseconds{origin=\"ap/b\"} ")));
    house_hang_up(&listening);
}
