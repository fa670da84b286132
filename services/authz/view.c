/* What the views share: times, lists, etags. */
#include "services/authz/view.h"

#include "common/base/codec.h"
#include "common/crypto/digest.h"
#include "common/rpc/field.h"

#define ETAG_LEN 16

struct kw_result kw_view_time(uint64_t ms, struct kw_arena *arena,
                              Google__Protobuf__Timestamp **ret_time, struct kw_error *err)
{
    Google__Protobuf__Timestamp *time;

    if (ms == 0) {
        *ret_time = NULL;
        return KW_OK;
    }
    time = kw_arena_alloc(arena, sizeof(*time));
    KW_ENSURE(time != NULL, err, MEMORY, "a time");
    kw_field_time_make(ms, time);
    *ret_time = time;
    return KW_OK;
}

static size_t item_count(const char *joined)
{
    size_t count = joined[0] != '\0' ? 1 : 0;

    for (const char *at = joined; *at != '\0'; at++) {
        count += *at == ',' ? 1 : 0;
    }
    return count;
}

struct kw_result kw_view_list(const char *joined, struct kw_arena *arena, char ***ret_items,
                              size_t *ret_count, struct kw_error *err)
{
    size_t count = item_count(joined);
    char **items = kw_arena_alloc(arena, (count + 1) * sizeof(*items));

    KW_ENSURE(items != NULL, err, MEMORY, "%zu items", count);
    for (size_t i = 0; i < count; i++) {
        size_t len = strcspn(joined, ",");

        items[i] = kw_arena_text(arena, joined, len);
        KW_ENSURE(items[i] != NULL, err, MEMORY, "%zu items", count);
        joined += len + 1;
    }
    *ret_items = items;
    *ret_count = count;
    return KW_OK;
}

struct kw_result kw_view_join(char *const *items, size_t count, struct kw_arena *arena,
                              const char **ret_joined, struct kw_error *err)
{
    const char *joined = "";

    for (size_t i = 0; i < count; i++) {
        joined = kw_arena_printf(arena, "%s%s%s", joined, i > 0 ? "," : "", items[i]);
        KW_ENSURE(joined != NULL, err, MEMORY, "%zu items", count);
    }
    *ret_joined = joined;
    return KW_OK;
}

static struct kw_result etag_of(const struct kw_buf *state, char *ret_etag, struct kw_error *err)
{
    uint8_t digest[KW_SHA256_LEN];

    KW_TRY(kw_sha256(kw_buf_bytes(state), digest, err));
    kw_hex(KW_BYTES(digest, ETAG_LEN), ret_etag);
    return KW_OK;
}

struct kw_result kw_view_member_etag(const struct kw_member_row *row, char ret_etag[KW_ETAG_SIZE],
                                     struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf state = {0};
    struct kw_writer w = KW_WRITER(&state);

    kw_put_raw(&w, kw_id_bytes(&row->id));
    kw_put_u8(&w, row->suspended);
    kw_put_u32(&w, row->epoch);
    kw_put_u32(&w, row->transport_version);
    kw_put_u32(&w, row->confirmed_version);
    kw_put_u64(&w, row->certificate_expire_ms);
    kw_put_u64(&w, row->updated_ms);
    KW_TRY(kw_writer_end(&w, err));
    return etag_of(&state, ret_etag, err);
}

/* Besides its revocation nothing of a grant ever changes. */
struct kw_result kw_view_grant_etag(const struct kw_grant_row *row, char ret_etag[KW_ETAG_SIZE],
                                    struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf state = {0};
    struct kw_writer w = KW_WRITER(&state);

    kw_put_raw(&w, kw_id_bytes(&row->id));
    kw_put_u64(&w, row->revoked_ms);
    KW_TRY(kw_writer_end(&w, err));
    return etag_of(&state, ret_etag, err);
}
