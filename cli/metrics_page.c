/* One request on a connection of its own, and the text format of Prometheus. */
#include "cli/metrics_page.h"

#include "common/base/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGE_LEN_MAX (4U * 1024U * 1024U)
#define PART_LEN     16384U
#define WAIT_S       3
#define NAME_MAX_LEN 256

static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";

static struct kw_result ask(int port, int fd, struct kw_error *err)
{
    const struct timeval wait = {.tv_sec = WAIT_S};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    KW_ENSURE(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0 &&
                  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0 &&
                  connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                  send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) ==
                      (ssize_t)sizeof(request) - 1,
              err, PEER_UNAVAILABLE, "127.0.0.1:%d: %s", port, strerror(errno));
    return KW_OK;
}

struct kw_result kw_metrics_page_read(int port, struct kw_buf *ret_page, struct kw_error *err)
{
    KW_SCOPED(kw_fd_close) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t len = 1;

    KW_ENSURE(fd >= 0, err, PEER_UNAVAILABLE, "a socket: %s", strerror(errno));
    KW_TRY(ask(port, fd, err));
    while (len > 0) {
        KW_ENSURE(ret_page->len < PAGE_LEN_MAX, err, PEER_UNAVAILABLE, "127.0.0.1:%d: no end",
                  port);
        KW_TRY(kw_buf_reserve(ret_page, PART_LEN, err));
        len = read(fd, ret_page->data + ret_page->len, PART_LEN);
        ret_page->len += len > 0 ? (size_t)len : 0;
    }
    KW_ENSURE(len == 0, err, PEER_UNAVAILABLE, "127.0.0.1:%d: %s", port, strerror(errno));
    return kw_buf_append(ret_page, KW_BYTES("", 1), err);
}

/* A line of its own: `name{label="value"} 41`. */
bool kw_metrics_page_find(const char *page, enum kw_metric metric, const char *label,
                          int64_t *ret_value)
{
    const struct kw_metric_row *row = kw_metric_row(metric);
    char begin[NAME_MAX_LEN];
    const char *at;

    (void)snprintf(begin, sizeof(begin), "\n%s{%s=\"%s\"} ", row->name, row->label, label);
    at = strstr(page, begin);
    if (at == NULL) {
        return false;
    }
    *ret_value = strtoll(at + strlen(begin), NULL, 10);
    return true;
}
