/* Out of the database, into the file. */
#include "common/feed_service/orphan_bundle.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/crypto/keyfile.h"
#include "common/feed/feed_orphans.h"

#include <fcntl.h>

struct bundle {
    struct kw_feed feed;
    struct kw_buf file;
    struct kw_feed_orphans count;
};

/* A feed to read by: it is not opened, which would begin a lane where there is none. */
static struct kw_result run(const struct kw_offline_tx *offline, void *context,
                            struct kw_error *err)
{
    struct bundle *bundle = context;
    struct kw_feed *feed = &bundle->feed;

    feed->options = *offline->options;
    KW_TRY(kw_voucher_store(feed->options.mesh, &offline->identity->trust.self,
                            offline->options->store, &feed->options.store, err));
    return kw_feed_orphans(feed, offline->tx, &offline->identity->key, kw_clock_wall_ms(),
                           &bundle->file, &bundle->count, err);
}

static struct kw_result write_file(const struct bundle *bundle, const char *file,
                                   struct kw_error *err)
{
    KW_TRY(kw_keyfile_write(AT_FDCWD, file, kw_buf_bytes(&bundle->file), KW_KEYFILE_MODE_PRIVATE,
                            err));
    KW_LOG(INFO, "what our store said beyond what is honoured is in a file", KW_F_STR("file", file),
           KW_F_HEX("store", kw_id_bytes(&bundle->feed.options.store)),
           KW_F_U64("lanes", bundle->count.lanes), KW_F_U64("changes", bundle->count.changes));
    return KW_OK;
}

struct kw_result kw_orphan_bundle_write(const struct kw_offline *offline, const char *file,
                                        struct kw_error *err)
{
    struct bundle bundle = {.file = {0}};
    struct kw_result written;

    KW_ENSURE(offline->identity.lane_key_file != NULL, err, CONFIG_INVALID,
              "lane_key_file is not set: nothing was replicated");
    written = kw_offline_run(offline, run, &bundle, err);
    if (kw_ok(written)) {
        written = write_file(&bundle, file, err);
    }
    kw_buf_done(&bundle.file);
    return written;
}
