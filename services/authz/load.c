/* One write job: our lane may begin, the officers' rows may be new. */
#include "services/authz/load.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/limits.h"
#include "common/feed/instance.h"
#include "services/authz/feed_heard.h"
#include "services/authz/feed_tables.h"
#include "services/authz/quota_table.h"

/* The book is the loop thread's; until `loaded` nobody there uses it. */
static struct kw_result quotas_restore(struct kw_quota_book *book, struct kw_id instance,
                                       struct kw_tx *tx, struct kw_error *err)
{
    struct kw_quota page[KW_DIARY_QUOTAS_MAX];
    struct kw_id after = {0};
    size_t count;

    KW_TRY(kw_quota_book_init(book, err));
    do {
        KW_TRY(kw_quota_list(tx, instance, after, page, KW_DIARY_QUOTAS_MAX, &count, err));
        for (size_t i = 0; i < count; i++) {
            KW_TRY(kw_quota_book_restore(book, &page[i], err));
            after = page[i].grant;
        }
    } while (count == KW_DIARY_QUOTAS_MAX);
    return KW_OK;
}

static struct kw_result feed_open(const struct kw_authz_load *load, struct kw_tx *tx,
                                  struct kw_error *err)
{
    struct kw_authz *authz = load->authz;
    const struct kw_feed_options options = {
        .mesh = load->mesh,
        .store = kw_store_id(authz->store),
        .writer = authz->config->writer,
        .vouchers = load->vouchers,
        .orders = load->orders,
        .tables = kw_authz_feed_tables,
        .table_count = kw_authz_feed_table_count,
        .keep_max = authz->config->feed_keep_max,
        .heard = kw_authz_feed_heard,
        .context = authz,
    };

    return kw_feed_open(&authz->feed, &options, tx, load->now_ms, err);
}

static void arena_done(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

static struct kw_result officers_register(const struct kw_authz_load *load, struct kw_tx *tx,
                                          struct kw_error *err)
{
    KW_SCOPED(arena_done) struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    const struct kw_feed_tx feed_tx = {&load->authz->feed, tx, arena, load->now_ms};

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for officers");
    return kw_officers_register(&load->officers, load->now_ms, &feed_tx, err);
}

static struct kw_result run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_authz_load *load = KW_CONTAINER_OF(job, struct kw_authz_load, job);
    struct kw_authz *authz = load->authz;

    KW_TRY(feed_open(load, tx, err));
    KW_TRY(officers_register(load, tx, err));
    KW_TRY(kw_witness_load(tx, &authz->diary.witness, err));
    return quotas_restore(&authz->diary.quotas, kw_feed_instance(&authz->feed), tx, err);
}

static void done(struct kw_store_job *job)
{
    struct kw_authz_load *load = KW_CONTAINER_OF(job, struct kw_authz_load, job);

    load->loaded(load->context, job->result, &job->error);
}

struct kw_result kw_authz_load_start(struct kw_authz_load *load, struct kw_error *err)
{
    load->now_ms = kw_clock_wall_ms();
    kw_authz_feed_prepare(load->authz);
    KW_TRY(kw_id_from_setting("mesh", load->authz->config->mesh, &load->mesh, err));
    KW_TRY(kw_officers_load(load->authz->config, load->now_ms, &load->officers, err));
    load->job = (struct kw_store_job){.run = run, .done = done, .vital = true};
    return kw_store_write(load->authz->store, &load->job, err);
}

void kw_authz_load_done(struct kw_authz_load *load)
{
    kw_officers_done(&load->officers);
}
