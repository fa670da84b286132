/* `keyward tour`: the whole story, each line a real call with the command that repeats it. */
#ifndef KW_CLI_TOUR_H
#define KW_CLI_TOUR_H

#include "cli/command.h"

/* Runs the story against the mesh that KEYWARD_CONFIG names, or against one started for it. Files
 * go to `dir` (NULL: a new directory below TMPDIR); `pens` is how many are made (NULL: 1,000). Exit
 * OK only if every step ended as it must, the refusals among them. */
enum kw_exit kw_tour(const char *dir, const char *pens);

#endif
