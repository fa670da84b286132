/* `keyward up`: a whole development mesh from one command. */
#ifndef KW_CLI_UP_H
#define KW_CLI_UP_H

#include "cli/command.h"

/* Runs a mesh in `dir` (NULL: a new one below TMPDIR, removed after a clean end) until a signal
 * comes or it cannot go on; with `with_parent`, also when the process that started it ends. Prints
 * a banner and READY. */
enum kw_exit kw_up(const char *dir, bool with_parent);

#endif
