/* `seed-devices DEVICES KEYED KEEP --config=orchestrator.yaml`: devices of batches that no station asked for, the first
 * KEYED of them with a key version, its wrapped key and the fact that it is protected, said in the lane of an
 * orchestrator that is stopped, with the intents that CreateBatch makes. No HSM made the keys, so what they are and
 * their MACs are random: nobody can use them.
 *
 * Of the lane only the last KEEP changes are left, as where a store has had its rows for long: who is behind needs a
 * snapshot. */
#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/base/secret.h"
#include "common/feed/feed_peers.h"
#include "services/orchestrator/batch_feed.h"
#include "services/orchestrator/device_feed.h"
#include "services/orchestrator/fact_feed.h"
#include "services/orchestrator/feed_tables.h"
#include "services/orchestrator/key_feed.h"
#include "services/orchestrator/schema.h"
#include "services/orchestrator/service.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    AT_ONCE = 1000, /* of which a batch has no broken number */
    CHANGES_EACH = 4,
    TRIM_MAX = 4 * AT_ONCE * CHANGES_EACH,
    PER_LINE = 100000,
    WRAPPED_LEN = 40,
    MAC_LEN = 16,
    CHECK_LEN = 3,
    NUMBERS = 3, /* DEVICES KEYED KEEP */
};

static const char actor[] = "spiffe://keyward.test/station/seed";

struct seeding {
    struct kw_store_job job;
    struct kw_store *store;
    struct kw_loop *loop;
    struct kw_feed feed;
    struct kw_feed_options options;
    struct kw_batch_row batch;
    uint64_t wanted;
    uint64_t keyed;
    uint64_t made;
    uint64_t begun_ns;
};

/* What a core would have made of one pen. */
struct pen {
    uint8_t wrapped[WRAPPED_LEN];
    uint8_t delivery[WRAPPED_LEN];
    uint8_t mac[MAC_LEN];
    uint8_t check_value[CHECK_LEN];
    uint8_t fact_mac[MAC_LEN];
};

static struct kw_result add_fact(const struct kw_feed_tx *feed_tx, const struct pen *pen,
                                 struct kw_id key, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_fact_row row = {.mac = KW_BYTES_OF(pen->fact_mac), .justification = ""};

    row.fact = (struct kw_fact){.key = key,
                                .kind = KW_FACT_PROTECTED,
                                .time_ms = feed_tx->wall_ms,
                                .capsule = key,
                                .actor = kw_bytes_str(actor)};
    KW_TRY(kw_fact_encode(&row.fact, &record, err));
    row.record = kw_buf_bytes(&record);
    return kw_fact_state(feed_tx, &row, err);
}

static struct kw_result add_key(const struct kw_feed_tx *feed_tx, struct kw_id device,
                                struct kw_error *err)
{
    struct pen pen;
    struct kw_key_row key = {.device = device,
                             .version = 1,
                             .kek_version = 1,
                             .created_ms = feed_tx->wall_ms,
                             .wrapped = KW_BYTES_OF(pen.wrapped),
                             .check_value = KW_BYTES_OF(pen.check_value),
                             .mac = KW_BYTES_OF(pen.mac),
                             .delivery = KW_BYTES_OF(pen.delivery),
                             .delivery_version = 1};

    KW_TRY(kw_random(&pen, sizeof(pen), err));
    KW_TRY(kw_id_v7(&key.id, err));
    KW_TRY(add_fact(feed_tx, &pen, key.id, err));
    return kw_key_add(feed_tx, &key, err);
}

static struct kw_result add_pen(struct seeding *seeding, const struct kw_feed_tx *feed_tx,
                                struct kw_error *err)
{
    struct kw_device_row device = {.batch = seeding->batch.id,
                                   .position = seeding->batch.generated++,
                                   .product = seeding->batch.product,
                                   .created_ms = feed_tx->wall_ms};

    KW_TRY(kw_id_random(&device.id, err));
    if (seeding->made < seeding->keyed) {
        KW_TRY(add_key(feed_tx, device.id, err));
    }
    return kw_device_add(feed_tx, &device, err);
}

/* A new one when the last is full. */
static struct kw_result batch_next(struct seeding *seeding, const struct kw_feed_tx *feed_tx,
                                   struct kw_error *err)
{
    struct kw_batch_row *batch = &seeding->batch;

    if (batch->generated + AT_ONCE <= batch->count) {
        return KW_OK;
    }
    *batch = (struct kw_batch_row){
        .lot = "seed", .count = KW_BATCH_DEVICES_MAX, .created_ms = feed_tx->wall_ms};
    KW_TRY(kw_id_v7(&batch->id, err));
    KW_TRY(kw_id_random(&batch->station, err));
    KW_TRY(kw_id_random(&batch->request, err));
    KW_TRY(kw_id_random(&batch->product, err));
    return kw_batch_add(feed_tx, batch, err);
}

static struct kw_result add_some(struct seeding *seeding, struct kw_tx *tx, struct kw_arena *arena,
                                 struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = {
        .feed = &seeding->feed, .tx = tx, .arena = arena, .wall_ms = kw_clock_wall_ms()};
    size_t trimmed;

    KW_TRY(batch_next(seeding, &feed_tx, err));
    for (int i = 0; i < AT_ONCE && seeding->made < seeding->wanted; i++, seeding->made++) {
        KW_TRY(add_pen(seeding, &feed_tx, err));
    }
    KW_TRY(kw_tx_catch_up(tx, err));
    return kw_feed_trim(&seeding->feed, tx, TRIM_MAX, &trimmed, err);
}

static struct kw_result run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct seeding *seeding = KW_CONTAINER_OF(job, struct seeding, job);
    struct kw_arena *arena = kw_arena_new(SIZE_MAX);
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena");
    result = seeding->begun_ns == 0
                 ? kw_feed_open(&seeding->feed, &seeding->options, tx, kw_clock_wall_ms(), err)
                 : add_some(seeding, tx, arena, err);
    kw_arena_free(arena);
    return result;
}

static void tell(const struct seeding *seeding)
{
    double seconds = (double)(kw_clock_mono_ns() - seeding->begun_ns) / 1e9;

    (void)printf("%llu devices in %.1f s\n", (unsigned long long)seeding->made, seconds);
    (void)fflush(stdout);
}

static void go_on(struct seeding *seeding)
{
    if (kw_ok(seeding->job.result) && seeding->made < seeding->wanted) {
        seeding->job.result = kw_store_write(seeding->store, &seeding->job, &seeding->job.error);
        if (kw_ok(seeding->job.result)) {
            return;
        }
    }
    kw_store_close(seeding->store);
    seeding->store = NULL;
    kw_loop_stop(seeding->loop);
}

static void done(struct kw_store_job *job)
{
    struct seeding *seeding = KW_CONTAINER_OF(job, struct seeding, job);

    if (seeding->begun_ns == 0) {
        seeding->begun_ns = kw_clock_mono_ns();
    } else if (seeding->made % PER_LINE < AT_ONCE || seeding->made == seeding->wanted) {
        tell(seeding);
    }
    go_on(seeding);
}

static void failed(const struct kw_error *error, void *context)
{
    (void)context;
    KW_LOG(ERROR, "the store", KW_F_ERR(error));
}

static struct kw_result fill(struct seeding *seeding, const struct kw_orch_config *config,
                             struct kw_error *err)
{
    const struct kw_store_options store = {.path = config->database,
                                           .migrations = kw_orch_migrations,
                                           .migration_count = kw_orch_migration_count,
                                           .failed = failed};

    KW_TRY(kw_loop_new(&seeding->loop, err));
    KW_TRY(kw_store_open(seeding->loop, &store, &seeding->store, err));
    seeding->options.store = kw_store_id(seeding->store);
    seeding->job = (struct kw_store_job){.run = run, .done = done};
    KW_TRY(kw_store_write(seeding->store, &seeding->job, err));
    kw_loop_run(seeding->loop);
    kw_loop_free(seeding->loop);
    if (!kw_ok(seeding->job.result)) {
        *err = seeding->job.error;
    }
    return seeding->job.result;
}

/* As the orchestrator opens it. */
static struct kw_result prepare(struct seeding *seeding, const struct kw_orch_config *config,
                                struct kw_feed_identity *identity,
                                struct kw_officers_trust *officers, struct kw_error *err)
{
    const struct kw_feed_identity_options options = kw_orch_identity_options(config);

    KW_TRY(kw_secret_region_lock(err));
    KW_TRY(kw_feed_identity_load(identity, &options, err));
    KW_TRY(kw_officers_trust_load(officers, config->pki_dir, config->trust_domain, err));
    seeding->options = (struct kw_feed_options){.writer = config->writer,
                                                .vouchers = &identity->trust,
                                                .orders = &identity->orders,
                                                .trust = officers,
                                                .tables = kw_orch_feed_tables,
                                                .table_count = kw_orch_feed_table_count};
    return kw_id_from_setting("mesh", config->mesh, &seeding->options.mesh, err);
}

static struct kw_result seed(const struct kw_orch_config *config, const uint64_t numbers[NUMBERS],
                             struct kw_error *err)
{
    static struct seeding seeding;
    struct kw_feed_identity identity = {0};
    struct kw_officers_trust officers = {0};
    struct kw_result result = prepare(&seeding, config, &identity, &officers, err);

    seeding.wanted = numbers[0];
    seeding.keyed = numbers[1];
    seeding.options.keep_max = numbers[2];
    if (kw_ok(result)) {
        result = fill(&seeding, config, err);
    }
    kw_feed_identity_done(&identity);
    kw_officers_trust_done(&officers);
    return result;
}

int main(int argc, char **argv)
{
    struct kw_orch_config config = {0};
    enum kw_settings_outcome outcome = KW_SETTINGS_PRINTED;
    struct kw_error error = {0};
    uint64_t numbers[NUMBERS] = {0};
    struct kw_result result;

    for (int i = 0; i < NUMBERS && argc == NUMBERS + 2; i++) {
        numbers[i] = strtoull(argv[i + 1], NULL, 10);
    }
    if (numbers[0] == 0 || numbers[2] == 0) {
        (void)fprintf(stderr, "seed-devices DEVICES KEYED KEEP --config=FILE\n");
        return EXIT_FAILURE;
    }
    kw_log_setup("seed", "-", KW_LOG_WARN);
    result = kw_settings_load(&kw_orch_settings, argc - NUMBERS, argv + NUMBERS, &config, &outcome,
                              &error);
    if (kw_ok(result)) {
        result = seed(&config, numbers, &error);
    }
    kw_settings_done(&kw_orch_settings, &config);
    if (!kw_ok(result)) {
        (void)fprintf(stderr, "seed-devices: %s\n", error.message);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
