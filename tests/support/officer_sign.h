/* The first officer of a development mesh signs: lists of services, requests of regions. */
#ifndef KW_TESTS_SUPPORT_OFFICER_SIGN_H
#define KW_TESTS_SUPPORT_OFFICER_SIGN_H

#include "cli/mesh_files.h"
#include "common/crypto/sign.h"

#define OFFICER_LIST_LABEL "KEYWARD-LIST-v1"

/* Over label ‖ content, with the key in officer/key.pem. */
void officer_sign(const struct kw_mesh_dir *dir, const char *label, struct kw_bytes content,
                  struct kw_signature *ret_signature);

/* Writes a list of services, `name` in the directory, and `name`.sig beside it; both may be there
 * already. */
void officer_list(const struct kw_mesh_dir *dir, const char *name, const char *text);

#endif
