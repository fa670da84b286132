/* What is left of a key that an officer had destroyed: not a byte of it, in any cell. */
#include "common/feed/feed_peers.h"
#include "tests/component/orchestrator_cells.h"

#include <keyward/v1/key_service.pb-c.h>

static struct orch_cells cells;
static struct orch_fixture *const a = &cells.a;
static struct orch_fixture *const b = &cells.b;

static void init(void)
{
    orch_cells_init(&cells);
}

static void done(void)
{
    orch_cells_done(&cells);
}

TestSuite(orchestrator_erased, .init = init, .fini = done, .timeout = 60);

/* The operator's; such requests begin alike. */
static enum kw_reason stop(enum kw_method_id method, char *key)
{
    Keyward__V1__DestroyKeyRequest body = KEYWARD__V1__DESTROY_KEY_REQUEST__INIT;
    const struct asking asking = {
        .method = method, .body = &body.base, .role = KW_ROLE_OPERATOR, .caller = a->operator_id};

    body.base.descriptor = kw_method_messages(kw_method_by_id((uint32_t)method))->input;
    body.request_id = orch_request_id(a);
    body.name = key;
    body.justification = (char *)(uintptr_t) "lost";
    return orch_ask(a, &asking).reason;
}

/* A blob, and where it is looked for. */
struct blob {
    uint8_t bytes[64];
    size_t len;
    size_t found;
};

static struct kw_result load_blob(const struct kw_feed_tx *feed_tx, const void *context,
                                  struct kw_error *err)
{
    struct blob *blob = *(struct blob *const *)context;
    struct kw_stmt *stmt;
    struct kw_bytes wrapped;
    bool found;

    KW_TRY(kw_sql(feed_tx->tx, "SELECT wrapped FROM wrapped_keys WHERE length(wrapped) > 0", &stmt,
                  err));
    KW_TRY(kw_step(stmt, &found, err));
    cr_assert(found);
    wrapped = kw_col_blob(stmt, 0);
    cr_assert(le(sz, wrapped.len, sizeof(blob->bytes)));
    kw_copy(blob->bytes, wrapped.data, wrapped.len);
    blob->len = wrapped.len;
    return KW_OK;
}

static struct kw_result find_in(const struct kw_feed_tx *feed_tx, const char *records,
                                struct blob *blob, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found = true;

    KW_TRY(kw_sql(feed_tx->tx, records, &stmt, err));
    while (found) {
        KW_TRY(kw_step(stmt, &found, err));
        if (found) {
            struct kw_bytes record = kw_col_blob(stmt, 0);

            blob->found += memmem(record.data, record.len, blob->bytes, blob->len) != NULL;
        }
    }
    return KW_OK;
}

/* Of each lane the last change is kept, and no member waited for. */
static struct kw_result forget(const struct kw_feed_tx *feed_tx, const void *context,
                               struct kw_error *err)
{
    size_t trimmed;

    (void)context;
    feed_tx->feed->options.keep_max = 1;
    return kw_feed_trim(feed_tx->feed, feed_tx->tx, 1000, &trimmed, err);
}

static struct kw_result find_blob(const struct kw_feed_tx *feed_tx, const void *context,
                                  struct kw_error *err)
{
    struct blob *blob = *(struct blob *const *)context;

    blob->found = 0;
    KW_TRY(find_in(feed_tx, "SELECT record FROM feed_records", blob, err));
    return find_in(feed_tx, "SELECT record FROM feed_changes", blob, err);
}

static size_t blobs_in(struct orch_fixture *fx, struct blob *blob)
{
    MUST(orch_try_say(fx, find_blob, &blob, err));
    return blob->found;
}

Test(orchestrator_erased, of_a_destroyed_key_no_byte_is_left_once_the_log_is_cut)
{
    const char *batch;
    const Keyward__V1__BatchItem *pen = orch_make_batch(a, 1, &batch)->items[0];
    struct blob blob;
    struct blob *const context = &blob;

    MUST(orch_try_say(a, load_blob, &context, err));
    orch_meet(&cells);
    cr_assert(eq(sz, blobs_in(b, &blob), 2)); /* the row, and the change that brought it */
    cr_assert(eq(int, stop(KW_METHOD_DEACTIVATE_KEY, pen->key), KW_E_NONE));
    cr_assert(eq(int, stop(KW_METHOD_DESTROY_KEY, pen->key), KW_E_NONE));
    orch_meet(&cells);
    cr_assert(eq(sz, blobs_in(a, &blob), 1));
    cr_assert(eq(sz, blobs_in(b, &blob), 1));
    MUST(orch_try_say(a, forget, NULL, err));
    MUST(orch_try_say(b, forget, NULL, err));
    cr_assert(eq(sz, blobs_in(a, &blob), 0));
    cr_assert(eq(sz, blobs_in(b, &blob), 0));
}
