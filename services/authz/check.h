/* Checks of request fields that several methods share. Each names the field it refuses. */
#ifndef KW_SERVICES_AUTHZ_CHECK_H
#define KW_SERVICES_AUTHZ_CHECK_H

#include "services/authz/call.h"

#include <google/protobuf/timestamp.pb-c.h>

/* 1 to `max` characters. Fails: ARGUMENT_INVALID. */
struct kw_result kw_check_text(struct kw_authz_call *call, const char *field, const char *text,
                               size_t max, struct kw_error *err);

/* Printable ASCII, 1 to `max`. Fails: ARGUMENT_INVALID. */
struct kw_result kw_check_printable(struct kw_authz_call *call, const char *field, const char *text,
                                    size_t max, struct kw_error *err);

/* Region names, each as in SPIFFE ids, joined by commas into the arena. Fails: ARGUMENT_INVALID
 * (too many, or one that is no name), MEMORY. */
struct kw_result kw_check_regions(struct kw_authz_call *call, const char *field,
                                  char *const *regions, size_t count, const char **ret_joined,
                                  struct kw_error *err);

/* A time between 1970 and 9999, to the millisecond. Fails: ARGUMENT_INVALID. */
struct kw_result kw_check_time(struct kw_authz_call *call, const char *field,
                               const Google__Protobuf__Timestamp *time, uint64_t *ret_ms,
                               struct kw_error *err);

/* The etag in the request, if there is one, is the resource's. Fails: ETAG_MISMATCH. */
struct kw_result kw_check_etag(const char *given, const char *present, struct kw_error *err);

#endif
