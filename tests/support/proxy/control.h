/* Control: what the fault proxy is told, a line a request, and what it answers. */
#ifndef KW_TESTS_SUPPORT_PROXY_CONTROL_H
#define KW_TESTS_SUPPORT_PROXY_CONTROL_H

#include "common/base/bytes.h"
#include "common/loop/loop.h"

#define PROXY_LINKS_MAX 256U
#define PROXY_LINE_MAX  4096U

struct link;

struct control {
    struct kw_loop *loop;
    struct link *links[PROXY_LINKS_MAX]; /* number n is at n - 1; NULL: closed */
    unsigned link_count;                 /* ever made */
};

/* Does what `line` (which it takes apart) asks, all or nothing, and appends one line of answer: `ok key=value …` or
 * `error why`. */
void control_run(struct control *control, char *line, struct kw_buf *answer);

/* Closes all links. */
void control_done(struct control *control);

/* The requests and faults, for a human. */
void control_help(void);

#endif
