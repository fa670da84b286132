/* A development mesh of one cell whose files lie in one directory: region/ is what the ceremony reads
 * and makes, config/, data/ and logs/ are the cell's. */
#ifndef KW_TESTS_SUPPORT_FLAT_LAYOUT_H
#define KW_TESTS_SUPPORT_FLAT_LAYOUT_H

#include "cli/mesh_layout.h"

/* In a new directory below TMPDIR, with everything that its ceremony needs. SOFTHSM2_CONF names its
 * token from now on. */
void flat_layout_make(struct kw_mesh_layout *ret_layout);

#endif
