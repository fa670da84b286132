/* A worker that breaks the protocol: how, the token's label says. Then it waits to be ended. */
#include "services/cryptocore/hsm/worker_protocol.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD_LEN 4U

struct liar {
    int fd;
    struct kw_buf in;
    struct kw_hsm_configure configure;
};

static bool lies(const struct liar *liar, const char *lie)
{
    return strcmp(liar->configure.token_label, lie) == 0;
}

static void must(struct kw_result result)
{
    if (!kw_ok(result)) {
        _exit(3);
    }
}

static void say(const struct liar *liar, struct kw_buf *message)
{
    if (write(liar->fd, message->data, message->len) != (ssize_t)message->len) {
        _exit(4);
    }
    kw_buf_done(message);
}

/* The message is a byte longer than what it says. */
static void lengthen(struct kw_buf *message)
{
    must(kw_buf_append(message, KW_BYTES("", 1), NULL));
    kw_be32_store(message->data, (uint32_t)(message->len - HEAD_LEN));
}

/* The next message; ends the process with the stream. */
static struct kw_hsm_message hear(struct liar *liar)
{
    struct kw_hsm_message message = {.size = 0};

    for (;;) {
        ssize_t got;

        must(kw_hsm_message_next(kw_buf_bytes(&liar->in), &message, NULL));
        if (message.size > 0) {
            return message;
        }
        must(kw_buf_reserve(&liar->in, 65536, NULL));
        got = read(liar->fd, liar->in.data + liar->in.len, 65536);
        if (got <= 0) {
            _exit(0);
        }
        liar->in.len += (size_t)got;
    }
}

static void heard(struct liar *liar, size_t size)
{
    memmove(liar->in.data, liar->in.data + size, liar->in.len - size);
    liar->in.len -= size;
}

static void greet(const struct liar *liar)
{
    struct kw_hsm_hello hello = {.version = KW_HSM_PROTOCOL_VERSION};
    struct kw_buf message = {0};

    if (lies(liar, "another version")) {
        hello.version++;
    }
    must(kw_hsm_hello_put(&message, &hello, NULL));
    if (lies(liar, "long hello")) {
        lengthen(&message);
    }
    if (lies(liar, "the core's message")) {
        message.len = 0;
        must(kw_hsm_configure_put(&message, &liar->configure, NULL));
    }
    if (lies(liar, "hello twice")) {
        must(kw_hsm_hello_put(&message, &hello, NULL));
    }
    say(liar, &message);
}

static void finish(const struct liar *liar, uint64_t call)
{
    struct kw_hsm_end end = {.call = call};
    struct kw_buf message = {0};

    must(kw_hsm_end_put(&message, &end, NULL));
    if (lies(liar, "long end")) {
        lengthen(&message);
    }
    say(liar, &message);
}

/* A success that holds fewer things than were asked for, or more. */
static void succeed_with(struct kw_hsm_answer *answer, size_t count)
{
    static const uint8_t macs[4][KW_HSM_MAC_LEN];
    static const struct kw_hsm_generated keys[4];

    answer->result = KW_OK;
    if (answer->op == KW_HSM_GENERATE) {
        answer->generated.items = keys;
        answer->generated.count = count;
    } else {
        answer->macs.items = macs;
        answer->macs.count = count;
    }
}

static void reply(const struct liar *liar, const struct kw_hsm_batch *batch)
{
    struct kw_hsm_answer answer = {.op = batch->requests[0].op};
    struct kw_buf message = {0};
    bool another_call = lies(liar, "answer to no call");

    answer.result = KW_MAKE(&answer.error, HSM, "a lie");
    if (lies(liar, "fewer than asked for")) {
        succeed_with(&answer, 1);
    }
    if (lies(liar, "more than asked for")) {
        succeed_with(&answer, 3);
    }
    if (lies(liar, "answer to another operation")) {
        answer.op = answer.op == KW_HSM_HEALTH ? KW_HSM_GENERATE : KW_HSM_HEALTH;
    }
    if (lies(liar, "answer of no operation")) {
        answer.op = (enum kw_hsm_op)99;
    }
    if (!lies(liar, "end without answer")) {
        must(kw_hsm_answer_message_put(&message, batch->call + (another_call ? 1 : 0),
                                       lies(liar, "answer beyond the batch") ? batch->count : 0,
                                       &answer, NULL));
        if (lies(liar, "long answer")) {
            lengthen(&message);
        }
        say(liar, &message);
    }
    finish(liar, batch->call + (lies(liar, "end of no call") ? 1 : 0));
}

int main(int argc, char **argv)
{
    struct liar liar = {.fd = argc > 1 ? (int)strtol(argv[1], NULL, 10) : -1};
    struct kw_hsm_message message = hear(&liar);

    must(kw_hsm_configure_get(message.fields, &liar.configure, NULL));
    heard(&liar, message.size);
    greet(&liar);
    for (;;) {
        struct kw_arena *arena = kw_arena_new(65536);
        struct kw_hsm_batch batch;

        message = hear(&liar);
        must(kw_hsm_batch_get(message.fields, arena, &batch, NULL));
        reply(&liar, &batch);
        heard(&liar, message.size);
        kw_arena_free(arena);
    }
}
