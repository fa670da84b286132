/* What `keyward up` says once everything runs. */
#ifndef KW_CLI_UP_BANNER_H
#define KW_CLI_UP_BANNER_H

#include "cli/mesh_layout.h"

/* At most 20 lines whatever the mesh, each path and address paste-ready; the last one says ready. */
void kw_up_banner(const struct kw_mesh_layout *layout, const char *bin_dir);

#endif
