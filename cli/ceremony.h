/* Running the ceremonies of a development mesh, as an officer would: another program, once, and waited
 * for. */
#ifndef KW_CLI_CEREMONY_H
#define KW_CLI_CEREMONY_H

#include "cli/mesh_layout.h"

/* Makes the keys, CAs and first certificates of all regions that there are at the beginning, by the files of
 * mesh_files.h and those that it writes to ceremony/. What they say goes to logs/init.log. Blocks. Fails: SYSTEM,
 * CRYPTO, MEMORY. */
struct kw_result kw_mesh_ceremonies(const struct kw_mesh_layout *layout, const char *bin_dir,
                                    struct kw_error *err);

/* The same of the last region, while those before it run: services take up the new CAs by themselves. Blocks. Fails:
 * likewise. */
struct kw_result kw_mesh_region_ceremony(const struct kw_mesh_layout *layout, const char *bin_dir,
                                         struct kw_error *err);

#endif
