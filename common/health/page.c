/* One GET, and its answer. */
#include "common/health/page.h"

#include "common/base/limits.h"
#include "common/health/wire.h"

#include <stdio.h>

static struct kw_bytes after(struct kw_bytes text, const char *mark)
{
    const uint8_t *found = memmem(text.data, text.len, mark, strlen(mark));
    const uint8_t *rest = found != NULL ? found + strlen(mark) : text.data + text.len;

    return KW_BYTES(rest, text.len - (size_t)(rest - text.data));
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

bool kw_health_page_parse(struct kw_bytes answer, unsigned *ret_status, struct kw_bytes *ret_line)
{
    static const char start[] =
        "HTTP/1."; /* then a digit, a blank, the three of the status, a blank or the line's end */
    const uint8_t *at = answer.data + strlen(start);

    if (answer.len < strlen(start) + 6 ||
        !kw_bytes_equal(KW_BYTES(answer.data, strlen(start)), kw_bytes_str(start)) ||
        !is_digit(at[0]) || at[1] != ' ' || !is_digit(at[2]) || !is_digit(at[3]) ||
        !is_digit(at[4]) || (at[5] != ' ' && at[5] != '\r')) {
        return false;
    }
    *ret_status = (at[2] - '0') * 100U + (at[3] - '0') * 10U + (at[4] - '0');
    *ret_line = after(answer, "\r\n\r\n");
    ret_line->len -= after(*ret_line, "\n").len;
    if (ret_line->len > 0 && ret_line->data[ret_line->len - 1] == '\n') {
        ret_line->len--;
    }
    return true;
}

/* Until the end, or until there is more than a line needs. */
static struct kw_result receive(struct kw_health_wire *wire, struct kw_buf *answer,
                                struct kw_error *err)
{
    uint8_t part[1024];
    size_t len = 1;

    while (len > 0 && answer->len < KW_HEALTH_ANSWER_MAX) {
        KW_TRY(kw_health_receive(wire, part, sizeof(part), &len, err));
        KW_TRY(kw_buf_append(answer, KW_BYTES(part, len), err));
    }
    return KW_OK;
}

struct kw_result kw_health_page_check(struct kw_health_wire *wire, const char *page,
                                      struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf answer = {0};
    struct kw_bytes line = KW_BYTES_NONE;
    unsigned status = 0;
    char request[64];

    (void)snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", page);
    KW_TRY(kw_health_send(wire, kw_bytes_str(request), err));
    KW_TRY(receive(wire, &answer, err));
    KW_ENSURE(kw_health_page_parse(kw_buf_bytes(&answer), &status, &line), err, PEER_UNAVAILABLE,
              "%s: no HTTP answer", page);
    KW_ENSURE(status == 200, err, PEER_UNAVAILABLE, "%s says %u %.*s", page, status, (int)line.len,
              (const char *)line.data);
    return KW_OK;
}
