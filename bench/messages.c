/* Reading the file of messages. */
#include "bench/messages.h"

#include "bench/bench.h"
#include "common/base/codec.h"
#include "common/base/file.h"

#include <stdlib.h>

#define FILE_LEN_MAX (64U * 1024U * 1024U)

void messages_read(struct messages *messages, const char *path)
{
    struct kw_reader reader;

    *messages = (struct messages){0};
    bench_require(kw_ok(kw_file_read(path, FILE_LEN_MAX, &messages->file, NULL)), path);
    reader = KW_READER(kw_buf_bytes(&messages->file));
    messages->list = bench_must(calloc(messages->file.len / 4 + 1, sizeof(struct kw_bytes)));
    while (reader.rest.len > 0) {
        uint32_t len = kw_get_u32(&reader);

        messages->list[messages->count++] = kw_get_raw(&reader, len);
        bench_require(!reader.failed, path);
    }
    bench_require(messages->count > 0, path);
}

struct kw_bytes messages_next(struct messages *messages)
{
    return messages->list[messages->next++ % messages->count];
}
