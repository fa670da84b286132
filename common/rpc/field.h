/* What the API says of texts and times (proto/README.md). Pure. */
#ifndef KW_COMMON_RPC_FIELD_H
#define KW_COMMON_RPC_FIELD_H

#include <google/protobuf/timestamp.pb-c.h>
#include <stdbool.h>
#include <stddef.h>

/* 1 to `len_max` printable ASCII characters? */
bool kw_field_printable(const char *text, size_t len_max);

/* Characters of valid UTF-8. */
size_t kw_field_characters(const char *text);

/* Is it a time from 1970 to the end of year 9999? `ret_ms`: in milliseconds since 1970. */
bool kw_field_time(const Google__Protobuf__Timestamp *time, uint64_t *ret_ms);

/* The other way: initialises it. */
void kw_field_time_make(uint64_t ms, Google__Protobuf__Timestamp *ret_time);

#endif
