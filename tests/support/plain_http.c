/* Asking the plaintext port. */
#include "tests/support/plain_http.h"

#include "tests/support/must.h"

#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

void plain_get(int port, const char *path, char *text, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t len = 0;
    ssize_t got = 1;

    REQUIRE(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
                connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0,
            "no plaintext port");
    REQUIRE(dprintf(fd, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path) > 0,
            "GET");
    while (got > 0 && len < size - 1) {
        got = read(fd, text + len, size - 1 - len);
        len += got > 0 ? (size_t)got : 0;
    }
    text[len] = '\0';
    (void)close(fd);
}

bool plain_ready(int port)
{
    char text[4096];

    plain_get(port, "/readyz", text, sizeof(text));
    return strstr(text, " 200 ") != NULL;
}

double plain_metric(int port, const char *name)
{
    static char text[256 * 1024];
    char start[128];
    const char *line;

    plain_get(port, "/metrics", text, sizeof(text));
    (void)snprintf(start, sizeof(start), "\n%s ", name);
    line = strstr(text, start);
    return line != NULL ? strtod(line + strlen(start), NULL) : 0;
}
