/* What a load generator sends: messages that somebody else has made, one after the other. */
#ifndef KW_BENCH_MESSAGES_H
#define KW_BENCH_MESSAGES_H

#include "common/base/bytes.h"

struct messages {
    struct kw_bytes *list;
    size_t count;
    size_t next;
    struct kw_buf file;
};

/* Reads a file of `length u32, big endian ‖ bytes`, at least one. */
void messages_read(struct messages *messages, const char *path);

/* Round and round. */
struct kw_bytes messages_next(struct messages *messages);

#endif
