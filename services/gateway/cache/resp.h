/* Resp: the protocol of Redis, by hiredis: words as a command, bytes as answers. Whatever bytes come,
 * no more than KW_REQUEST_CACHE_BUFFER_MAX of them are kept. Loop thread. */
#ifndef KW_SERVICES_GATEWAY_CACHE_RESP_H
#define KW_SERVICES_GATEWAY_CACHE_RESP_H

#include "common/base/bytes.h"

#define KW_RESP_WORDS_MAX 8

enum kw_resp_kind {
    KW_RESP_STRING,
    KW_RESP_STATUS,
    KW_RESP_ERROR,
    KW_RESP_OTHER, /* nil, a number */
};

struct kw_resp_answer {
    enum kw_resp_kind kind;
    struct kw_bytes text; /* of a string */
};

enum kw_resp_state {
    KW_RESP_ANSWER,
    KW_RESP_UNFINISHED, /* more must come */
    KW_RESP_BROKEN,     /* no protocol, or more than we ask for: nothing follows */
};

struct kw_resp; /* answers of one connection */

/* Appends a command of at most KW_RESP_WORDS_MAX words. Fails: MEMORY. */
struct kw_result kw_resp_command(const struct kw_bytes *words, size_t count, struct kw_buf *ret,
                                 struct kw_error *err);

/* Fails: MEMORY. */
struct kw_result kw_resp_new(struct kw_resp **ret_resp, struct kw_error *err);

/* Accepts NULL. */
void kw_resp_free(struct kw_resp *resp);

/* Takes what came; then kw_resp_next is called until there is no answer. False: too long, or no
 * memory. */
bool kw_resp_feed(struct kw_resp *resp, struct kw_bytes bytes);

/* The next whole answer; its text is valid until the next call. */
enum kw_resp_state kw_resp_next(struct kw_resp *resp, struct kw_resp_answer *ret_answer);

#endif
