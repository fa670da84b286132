/* Running the ceremonies of a development mesh, as an officer would: another program, once, and waited
 * for. */
#ifndef KW_CLI_CEREMONY_H
#define KW_CLI_CEREMONY_H

#include "cli/mesh_layout.h"

/* Makes the keys, CAs and first certificates of all regions, by the files of mesh_files.h. What it
 * says goes to logs/init.log. Blocks. Fails: SYSTEM. */
struct kw_result kw_mesh_ceremonies(const struct kw_mesh_layout *layout, const char *bin_dir,
                                    struct kw_error *err);

#endif
