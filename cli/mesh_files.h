/* What officers bring to the ceremonies of a development mesh, and take from them. */
#ifndef KW_CLI_MESH_FILES_H
#define KW_CLI_MESH_FILES_H

#include "cli/mesh_layout.h"

#define KW_MESH_TOKEN "keyward-dev"

/* Once for the mesh: the officer's key and request, the recovery key, the key of page tokens.
 * Secrets are random and in files of mode 0600. Fails: SYSTEM, CRYPTO, MEMORY. */
struct kw_result kw_mesh_officer_files(const struct kw_mesh_layout *layout, struct kw_error *err);

/* For one region's ceremony: PINs, the officer's list of its services, SoftHSM's configuration.
 * Fails: likewise. */
struct kw_result kw_mesh_token_files(const struct kw_mesh_layout *layout,
                                     const struct kw_mesh_region *region, struct kw_error *err);

/* The same of the first region, and init.yaml. */
struct kw_result kw_mesh_region_files(const struct kw_mesh_layout *layout,
                                      const struct kw_mesh_region *region, struct kw_error *err);

/* The line of a ceremony's settings that names the hosts of a region's gateways; empty where its default will do.
 * Returns `text`. */
#define KW_MESH_EDGE_HOSTS_SIZE 256
char *kw_mesh_edge_hosts(const struct kw_mesh_layout *layout, const struct kw_mesh_region *region,
                         char text[KW_MESH_EDGE_HOSTS_SIZE]);

/* SoftHSM's configuration, for a token in `region_dir`/tokens. Fails: SYSTEM, MEMORY. */
struct kw_result kw_mesh_softhsm_file(const char *path, const char *region_dir,
                                      struct kw_error *err);

/* 32 random bytes as hex, in a file of mode 0600. Fails: SYSTEM. */
struct kw_result kw_mesh_secret_file(const struct kw_mesh_dir *dir, const char *name,
                                     struct kw_error *err);

/* Signs label ‖ what is in the file `name` of the mesh's directory, as the officer, into the file
 * `signature_name`. Fails: CONFIG_INVALID, SYSTEM, CRYPTO, MEMORY. */
struct kw_result kw_mesh_officer_sign(const struct kw_mesh_layout *layout, const char *label,
                                      const char *name, const char *signature_name,
                                      struct kw_error *err);

/* After the first ceremony: the officer's certificate beside its key. Fails: SYSTEM. */
struct kw_result kw_mesh_officer_place(const struct kw_mesh_layout *layout, struct kw_error *err);

#endif
