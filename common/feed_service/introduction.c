/* Vouching in write jobs, since the row of our store is a change like any other. */
#include "common/feed_service/introduction.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/log.h"
#include "common/feed/feed_admit.h"

#include <stdlib.h>

struct introduction {
    struct kw_feed_task task;
    struct kw_credentials renewed; /* zeroed: those that we have */
    struct kw_buf voucher;
    struct kw_id incarnation;
    enum kw_lane_verdict verdict;
};

static void introduction_free(struct introduction *introduction)
{
    kw_credentials_done(&introduction->renewed);
    kw_buf_done(&introduction->voucher);
    free(introduction);
}

/* Credentials are the write jobs' own. What they were is let go with the introduction. */
static void renew(struct introduction *introduction)
{
    struct kw_feed_identity *identity = introduction->task.service->options.identity;
    struct kw_credentials before = identity->credentials;

    if (introduction->renewed.key.evp != NULL) {
        identity->credentials = introduction->renewed;
        introduction->renewed = before;
    }
}

static struct kw_result vouch(struct introduction *introduction, struct kw_tx *tx,
                              struct kw_arena *arena, struct kw_error *err)
{
    const struct kw_feed_service_options *options = &introduction->task.service->options;
    struct kw_voucher voucher;

    KW_TRY(kw_feed_vouch(options->feed, tx, &options->identity->credentials, kw_clock_wall_ms(),
                         arena, &introduction->voucher, &introduction->verdict, err));
    KW_TRY(kw_voucher_decode(kw_buf_bytes(&introduction->voucher), &voucher, err));
    introduction->incarnation = voucher.incarnation;
    return KW_OK;
}

static struct kw_result run_introduction(struct kw_store_job *job, struct kw_tx *tx,
                                         struct kw_error *err)
{
    struct introduction *introduction = KW_CONTAINER_OF(job, struct introduction, task.job);
    struct kw_feed_service *service = introduction->task.service;
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_result vouched;

    service->options.feed->grown = &service->grown;
    renew(introduction);
    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a voucher");
    vouched = vouch(introduction, tx, arena, err);
    kw_arena_free(arena);
    return vouched;
}

static void keep(struct kw_feed_service *service, struct introduction *introduction)
{
    service->introduced = introduction->incarnation;
    if (introduction->verdict != KW_LANE_NEWS && introduction->verdict != KW_LANE_KNOWN) {
        KW_LOG(ERROR, "our store is no member",
               KW_F_STR("verdict", kw_lane_verdict_name(introduction->verdict)));
        return;
    }
    if (!kw_bytes_equal(kw_buf_bytes(&service->voucher), kw_buf_bytes(&introduction->voucher))) {
        kw_buf_move(&service->voucher, &introduction->voucher);
        service->voucher_issue++;
    }
}

static void introduction_done(struct kw_feed_task *task)
{
    struct introduction *introduction = KW_CONTAINER_OF(task, struct introduction, task);
    struct kw_feed_service *service = task->service;

    service->introducing = false;
    if (kw_ok(task->job.result)) {
        keep(service, introduction);
    } else {
        service->introduction_owed = true;
        kw_feed_service_log(service, "our store can't be vouched for", &task->job.error);
    }
    introduction_free(introduction);
    kw_feed_subscription_nudge(service);
    kw_feed_upkeep_wake(service);
}

static struct kw_result begin(struct kw_feed_service *service, struct kw_credentials *renewed,
                              struct introduction **ret_introduction, struct kw_error *err)
{
    struct introduction *introduction = calloc(1, sizeof(*introduction));

    *ret_introduction = introduction;
    KW_ENSURE(introduction != NULL, err, MEMORY, "an introduction");
    if (renewed != NULL) {
        introduction->renewed = *renewed;
        *renewed = (struct kw_credentials){0};
    }
    introduction->task.job.run = run_introduction;
    introduction->task.done = introduction_done;
    return kw_feed_task_write(service, &introduction->task, err);
}

void kw_feed_introduction_begin(struct kw_feed_service *service, struct kw_credentials *renewed)
{
    struct introduction *introduction;
    struct kw_error error = {0};

    service->introducing = kw_ok(begin(service, renewed, &introduction, &error));
    service->introduction_owed = !service->introducing;
    if (service->introduction_owed) {
        kw_feed_service_log(service, "our store can't be vouched for", &error);
        if (introduction != NULL) {
            introduction_free(introduction);
        }
    }
}

void kw_feed_introduction_check(struct kw_feed_service *service, struct kw_id incarnation)
{
    if (!service->introducing && !service->introduction_owed && !kw_id_is_none(incarnation) &&
        !kw_id_equal(incarnation, service->introduced)) {
        kw_feed_introduction_begin(service, NULL);
    }
}

/* --- another certificate --- */

struct kw_result kw_feed_introduction_note(struct kw_feed_service *service,
                                           const struct kw_credentials *credentials,
                                           struct kw_error *err)
{
    kw_buf_clear(&service->noted_pem);
    KW_TRY(kw_buf_append(&service->noted_pem, kw_buf_bytes(&credentials->cert_pem), err));
    return kw_buf_append(&service->noted_pem, kw_buf_bytes(&credentials->ca_pem), err);
}

/* The CAs count as well as the certificate: those of a region that came say whom we believe. */
static bool is_noted(const struct kw_feed_service *service,
                     const struct kw_credentials *credentials)
{
    struct kw_bytes noted = kw_buf_bytes(&service->noted_pem);
    size_t cert_len = credentials->cert_pem.len;

    return noted.len == cert_len + credentials->ca_pem.len &&
           kw_bytes_equal(KW_BYTES(noted.data, cert_len), kw_buf_bytes(&credentials->cert_pem)) &&
           kw_bytes_equal(KW_BYTES(noted.data + cert_len, noted.len - cert_len),
                          kw_buf_bytes(&credentials->ca_pem));
}

/* gRPC reloads the hop's own. What the store did not take is looked at again. */
static void look_at_credentials(struct kw_feed_service *service)
{
    KW_SCOPED(kw_credentials_done) struct kw_credentials renewed = {0};
    struct kw_error error = {0};

    if (!kw_ok(kw_credentials_load(&renewed, service->options.identity->credentials_dir, &error))) {
        kw_feed_service_log(service, "credentials not reloaded", &error);
        return;
    }
    if (is_noted(service, &renewed)) {
        return;
    }
    if (!kw_ok(kw_feed_introduction_note(service, &renewed, &error))) {
        kw_feed_service_log(service, "credentials not reloaded", &error);
        return;
    }
    kw_feed_introduction_begin(service, &renewed);
    if (!service->introducing) {
        kw_buf_clear(&service->noted_pem);
    }
}

void kw_feed_introduction_doubt(struct kw_feed_service *service)
{
    service->credentials_looked_ns = 0;
}

void kw_feed_introduction_tend(struct kw_feed_service *service)
{
    uint64_t now_ns = kw_clock_mono_ns();

    if (service->introducing) {
        return;
    }
    if (service->introduction_owed) {
        kw_feed_introduction_begin(service, NULL);
    } else if (now_ns - service->credentials_looked_ns >=
               (uint64_t)KW_CREDENTIALS_CHECK_MS * KW_NS_PER_MS) {
        service->credentials_looked_ns = now_ns;
        look_at_credentials(service);
    }
}
