/* What a service says on its plaintext port. */
#ifndef KW_TESTS_SUPPORT_PLAIN_HTTP_H
#define KW_TESTS_SUPPORT_PLAIN_HTTP_H

#include <stdbool.h>
#include <stddef.h>

/* GET `path` from 127.0.0.1:port; what came, headers too, fits `text`. Fails the test when nobody answers. */
void plain_get(int port, const char *path, char *text, size_t size);

/* /readyz says 200. */
bool plain_ready(int port);

/* The value of a metric, by its whole name with labels; 0 when it is not there. */
double plain_metric(int port, const char *name);

#endif
