/* Field checks. */
#include "services/authz/check.h"

#include "services/authz/view.h"

#define REGION_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789-"
#define TIME_S_MAX     INT64_C(253402300799) /* the end of year 9999 */
#define MS_PER_S       1000
#define NS_PER_S       1000000000
#define NS_PER_MS      1000000

size_t kw_check_characters(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++) {
        count += ((unsigned char)*text & 0xC0U) != 0x80U ? 1 : 0; /* all but continuation bytes */
    }
    return count;
}

struct kw_result kw_check_text(struct kw_authz_call *call, const char *field, const char *text,
                               size_t max, struct kw_error *err)
{
    size_t count = kw_check_characters(text);

    KW_FIELD_ENSURE(call, count >= 1 && count <= max, field, err, "%s has %zu characters", field,
                    count);
    return KW_OK;
}

struct kw_result kw_check_printable(struct kw_authz_call *call, const char *field, const char *text,
                                    size_t max, struct kw_error *err)
{
    size_t len = strlen(text);

    KW_FIELD_ENSURE(call, len >= 1 && len <= max, field, err, "%s has %zu characters", field, len);
    for (size_t i = 0; i < len; i++) {
        KW_FIELD_ENSURE(call, text[i] >= ' ' && text[i] <= '~', field, err,
                        "%s is not printable ASCII", field);
    }
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
    KW_FIELD_ENSURE(call,
                    time->seconds > 0 && time->seconds <= TIME_S_MAX && time->nanos >= 0 &&
                        time->nanos < NS_PER_S,
                    field, err, "%s is not a time", field);
    *ret_ms = (uint64_t)time->seconds * MS_PER_S + (uint64_t)time->nanos / NS_PER_MS;
    return KW_OK;
}

struct kw_result kw_check_etag(const char *given, const char *present, struct kw_error *err)
{
    KW_ENSURE(given[0] == '\0' || strcmp(given, present) == 0, err, ETAG_MISMATCH,
              "changed since it was read");
    return KW_OK;
}
