/* Field checks. */
#include "services/authz/check.h"

#include "common/rpc/field.h"
#include "services/authz/view.h"

#define REGION_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789-"

struct kw_result kw_check_text(struct kw_authz_call *call, const char *field, const char *text,
                               size_t max, struct kw_error *err)
{
    size_t count = kw_field_characters(text);

    KW_FIELD_ENSURE(call, count >= 1 && count <= max, field, err, "%s has %zu characters", field,
                    count);
    return KW_OK;
}

struct kw_result kw_check_printable(struct kw_authz_call *call, const char *field, const char *text,
                                    size_t max, struct kw_error *err)
{
    KW_FIELD_ENSURE(call, kw_field_printable(text, max), field, err,
                    "%s is not 1 to %zu printable ASCII characters", field, max);
    return KW_OK;
}

struct kw_result kw_check_regions(struct kw_authz_call *call, const char *field,
                                  char *const *regions, size_t count, const char **ret_joined,
                                  struct kw_error *err)
{
    KW_FIELD_ENSURE(call, count <= KW_GRANT_REGIONS_MAX, field, err, "%zu regions", count);
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(regions[i]);

        KW_FIELD_ENSURE(call,
                        len >= 1 && len <= KW_SPIFFE_SEGMENT_LEN_MAX &&
                            strspn(regions[i], REGION_LETTERS) == len,
                        field, err, "a region that is no name");
    }
    return kw_view_join(regions, count, call->arena, ret_joined, err);
}

struct kw_result kw_check_time(struct kw_authz_call *call, const char *field,
                               const Google__Protobuf__Timestamp *time, uint64_t *ret_ms,
                               struct kw_error *err)
{
    KW_FIELD_ENSURE(call, kw_field_time(time, ret_ms), field, err, "%s is not a time", field);
    return KW_OK;
}

struct kw_result kw_check_etag(const char *given, const char *present, struct kw_error *err)
{
    KW_ENSURE(given[0] == '\0' || strcmp(given, present) == 0, err, ETAG_MISMATCH,
              "changed since it was read");
    return KW_OK;
}
