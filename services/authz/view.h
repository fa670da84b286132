/* Views: rows as the messages of the public API, made in one call's arena. */
#ifndef KW_SERVICES_AUTHZ_VIEW_H
#define KW_SERVICES_AUTHZ_VIEW_H

#include "common/rpc/resource.h"
#include "keyward/v1/grant_service.pb-c.h"
#include "keyward/v1/partner_service.pb-c.h"
#include "keyward/v1/station_service.pb-c.h"
#include "services/authz/grant_table.h"
#include "services/authz/member_table.h"

#define KW_ETAG_SIZE 33 /* 16 bytes in hex and a NUL */

/* The state of a row in a few letters: changes whenever the row does. Fail: CRYPTO, MEMORY. */
struct kw_result kw_view_member_etag(const struct kw_member_row *row, char ret_etag[KW_ETAG_SIZE],
                                     struct kw_error *err);
struct kw_result kw_view_grant_etag(const struct kw_grant_row *row, char ret_etag[KW_ETAG_SIZE],
                                    struct kw_error *err);

/* A row that has no id yet (validate_only) gets no name. Fail: CRYPTO, MEMORY. */
struct kw_result kw_view_partner(const struct kw_member_row *row, struct kw_arena *arena,
                                 Keyward__V1__Partner **ret_partner, struct kw_error *err);
struct kw_result kw_view_station(const struct kw_member_row *row, struct kw_arena *arena,
                                 Keyward__V1__Station **ret_station, struct kw_error *err);
struct kw_result kw_view_grant(const struct kw_grant_row *row, const struct kw_id *devices,
                               size_t device_count, uint64_t now_ms, struct kw_arena *arena,
                               Keyward__V1__Grant **ret_grant, struct kw_error *err);

/* A time; NULL in `ret_time` for 0: "absent". Fails: MEMORY. */
struct kw_result kw_view_time(uint64_t ms, struct kw_arena *arena,
                              Google__Protobuf__Timestamp **ret_time, struct kw_error *err);

/* A comma-separated list as strings, and back. Fail: MEMORY. */
struct kw_result kw_view_list(const char *joined, struct kw_arena *arena, char ***ret_items,
                              size_t *ret_count, struct kw_error *err);
struct kw_result kw_view_join(char *const *items, size_t count, struct kw_arena *arena,
                              const char **ret_joined, struct kw_error *err);

#endif
