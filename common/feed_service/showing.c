/* Both figures are of one moment: where lanes are the same, rows must be. */
#include "common/feed_service/showing.h"

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/base/container.h"
#include "common/base/metrics.h"
#include "common/feed/feed_digests.h"
#include "common/feed_service/feed_service_internal.h"

#define FIGURE_LEN  6U
#define BITS_A_BYTE 8U

static int64_t figure_of(const uint8_t digest[KW_SHA256_LEN])
{
    int64_t figure = 0;

    for (size_t i = 0; i < FIGURE_LEN; i++) {
        figure = (int64_t)((uint64_t)figure << BITS_A_BYTE | digest[i]);
    }
    return figure;
}

static struct kw_result digest_tables(const struct kw_feed_options *options, struct kw_tx *tx,
                                      uint8_t ret_digest[KW_SHA256_LEN], struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf all = {0};
    struct kw_writer w = KW_WRITER(&all);

    for (size_t i = 0; i < options->table_count; i++) {
        const struct kw_digest_node root = {.table = options->tables[i].kind->table};
        uint8_t digest[KW_SHA256_LEN];

        KW_TRY(kw_feed_digest(tx, root, digest, err));
        kw_put_u16(&w, root.table);
        kw_put_raw(&w, KW_BYTES_OF(digest));
    }
    KW_TRY(kw_writer_end(&w, err));
    return kw_sha256(kw_buf_bytes(&all), ret_digest, err);
}

static struct kw_result run_look(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_feed_service *service = KW_CONTAINER_OF(job, struct kw_feed_task, job)->service;
    uint8_t digest[KW_SHA256_LEN];

    KW_TRY(kw_feed_reach(tx, digest, err));
    service->showing.lanes = figure_of(digest);
    KW_TRY(digest_tables(&service->options.feed->options, tx, digest, err));
    service->showing.rows = figure_of(digest);
    return KW_OK;
}

static void look_done(struct kw_feed_task *task)
{
    struct kw_feed_service *service = task->service;
    const struct kw_feed_showing *showing = &service->showing;
    bool known = kw_ok(task->job.result) && !atomic_load(&service->joining);

    service->showing.running = false;
    if (!kw_ok(task->job.result)) {
        kw_feed_service_log(service, "what is held can't be looked at", &task->job.error);
    }
    kw_metric_set(KW_M_FEED_DIGEST, "lanes", known ? showing->lanes : 0);
    kw_metric_set(KW_M_FEED_DIGEST, "rows", known ? showing->rows : 0);
}

void kw_feed_showing_tend(struct kw_feed_service *service)
{
    struct kw_feed_showing *showing = &service->showing;
    struct kw_error error = {0};

    if (showing->running || service->subscription == NULL || kw_clock_mono_ns() < showing->due_ns) {
        return;
    }
    showing->due_ns = kw_clock_mono_ns() + (uint64_t)KW_SHOW_DIGEST_MS * KW_NS_PER_MS;
    service->show = (struct kw_feed_task){.job = {.run = run_look}, .done = look_done};
    showing->running = kw_ok(kw_feed_task_read(service, &service->show, &error));
    if (!showing->running) {
        kw_feed_service_log(service, "what is held can't be looked at", &error);
    }
}
