/* `keyward up`: a whole development mesh from one command. */
#ifndef KW_CLI_UP_H
#define KW_CLI_UP_H

#include "cli/command.h"

/* What `keyward up` is told. */
struct kw_up_options {
    const char *dir;      /* NULL: a new one below TMPDIR, removed after a clean end */
    const char *regions;  /* how many there are; NULL: 2 */
    const char *cells;    /* how many each has; NULL: 1 */
    const char *start_ms; /* how long a part may take to become ready; NULL: 30 s */
    bool with_parent;     /* stop also when the process that started it ends */
};

/* Runs a mesh until a signal comes or it cannot go on. Prints a banner and READY. */
enum kw_exit kw_up(const struct kw_up_options *options);

#endif
