/* hiredis' reader, kept from what we never ask for. */
#include "services/gateway/cache/resp.h"

#include "common/base/limits.h"
#include "common/base/metrics.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

struct kw_resp {
    redisReader *reader;
    redisReply *reply; /* the last answer */
    redisReplyObjectFunctions functions;
};

/* --- out --- */

/* What hiredis made is wiped: a password may be in it. */
struct kw_result kw_resp_command(const struct kw_bytes *words, size_t count, struct kw_buf *ret,
                                 struct kw_error *err)
{
    const char *texts[KW_RESP_WORDS_MAX];
    size_t lens[KW_RESP_WORDS_MAX];
    char *text = NULL;
    struct kw_result result;
    int len;

    for (size_t i = 0; i < count; i++) {
        texts[i] = (const char *)words[i].data;
        lens[i] = words[i].len;
    }
    len = redisFormatCommandArgv(&text, (int)count, texts, lens);
    KW_ENSURE(len >= 0, err, MEMORY, "a command for Redis");
    result = kw_buf_append(ret, KW_BYTES(text, (size_t)len), err);
    kw_wipe(text, (size_t)len);
    redisFreeCommand(text);
    return result;
}

/* --- in --- */

/* No command of ours is answered by an array; and how long one gets is for Redis to say. */
static void *create_array(const redisReadTask *task, int count)
{
    (void)task;
    (void)count;
    return NULL; /* hiredis takes it for lack of memory, and ends */
}

struct kw_result kw_resp_new(struct kw_resp **ret_resp, struct kw_error *err)
{
    struct kw_resp *resp = calloc(1, sizeof(*resp));
    redisReader *reader = redisReaderCreate();

    if (resp == NULL || reader == NULL) {
        redisReaderFree(reader);
        free(resp);
        KW_FAIL(err, MEMORY, "answers of Redis");
    }
    resp->functions = *reader->fn;
    resp->functions.createArray = create_array;
    reader->fn = &resp->functions;
    resp->reader = reader;
    *ret_resp = resp;
    return KW_OK;
}

static void forget_reply(struct kw_resp *resp)
{
    freeReplyObject(resp->reply);
    resp->reply = NULL;
}

void kw_resp_free(struct kw_resp *resp)
{
    if (resp != NULL) {
        forget_reply(resp);
        redisReaderFree(resp->reader);
        free(resp);
    }
}

/* hiredis believes any length that is announced, and keeps what comes until it is reached. */
bool kw_resp_feed(struct kw_resp *resp, struct kw_bytes bytes)
{
    if (resp->reader->len - resp->reader->pos + bytes.len > KW_REQUEST_CACHE_BUFFER_MAX) {
        kw_metric_add(KW_M_LIMITS_REACHED, "cache_reply", 1);
        return false;
    }
    return redisReaderFeed(resp->reader, (const char *)bytes.data, bytes.len) == REDIS_OK;
}

static struct kw_resp_answer answer_of(const redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_STRING:
        return (struct kw_resp_answer){KW_RESP_STRING, KW_BYTES(reply->str, reply->len)};
    case REDIS_REPLY_STATUS:
        return (struct kw_resp_answer){.kind = KW_RESP_STATUS};
    case REDIS_REPLY_ERROR:
        return (struct kw_resp_answer){.kind = KW_RESP_ERROR};
    default:
        return (struct kw_resp_answer){.kind = KW_RESP_OTHER};
    }
}

enum kw_resp_state kw_resp_next(struct kw_resp *resp, struct kw_resp_answer *ret_answer)
{
    void *reply = NULL;

    forget_reply(resp);
    if (redisReaderGetReply(resp->reader, &reply) != REDIS_OK) {
        return KW_RESP_BROKEN;
    }
    if (reply == NULL) {
        return KW_RESP_UNFINISHED;
    }
    resp->reply = reply;
    *ret_answer = answer_of(resp->reply);
    return KW_RESP_ANSWER;
}
