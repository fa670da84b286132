/* What a development mesh lies in: one directory, made fresh, with keys, settings, data and logs
 * (cli/README.md). */
#ifndef KW_CLI_MESH_FILES_H
#define KW_CLI_MESH_FILES_H

#include "common/base/result.h"

#include <limits.h>

#define KW_MESH_TRUST_DOMAIN "keyward.test"
#define KW_MESH_REGION       "local"
#define KW_MESH_CELL         "a"
#define KW_MESH_TOKEN        "keyward-dev"

struct kw_mesh_dir {
    char path[PATH_MAX - 64]; /* absolute; room for the names below it */
};

/* Makes the directory with mode 0700; one that is there must be empty. Fails: CONFIG_INVALID. */
struct kw_result kw_mesh_dir_claim(const char *path, struct kw_error *err);

/* Makes `path` (which must not exist, or be empty) or, with NULL, a new directory below TMPDIR.
 * Mode 0700. Fails: CONFIG_INVALID, SYSTEM. */
struct kw_result kw_mesh_dir_make(const char *path, struct kw_mesh_dir *ret_dir,
                                  struct kw_error *err);

/* The path of `name` below the directory; `text` has PATH_MAX bytes. Returns `text`. */
char *kw_mesh_path(const struct kw_mesh_dir *dir, const char *name, char *text);

/* Writes everything that a ceremony needs: PINs, the first officer's key and request, the recovery
 * key, the signed list of services, SoftHSM's configuration, and init.yaml. Secrets are random and
 * in files of mode 0600. Fails: SYSTEM, CRYPTO, MEMORY. */
struct kw_result kw_mesh_ceremony_files(const struct kw_mesh_dir *dir, struct kw_error *err);

/* After the ceremony: the settings files of the services, and the officer's certificate beside its
 * key. */
struct kw_result kw_mesh_service_files(const struct kw_mesh_dir *dir, const char *bin_dir,
                                       struct kw_error *err);

/* Once the gateway's port is known: cli.yaml, with which the other commands find the mesh. Fails:
 * SYSTEM. */
struct kw_result kw_mesh_cli_file(const struct kw_mesh_dir *dir, int port, struct kw_error *err);

/* What a part says of itself when it is READY: run/NAME.ready, with its ports. Fails: SYSTEM. */
struct kw_result kw_mesh_ready_file(const struct kw_mesh_dir *dir, const char *part, int port,
                                    int metrics_port, struct kw_error *err);

/* Removes a directory of ours and all that is in it. */
void kw_mesh_dir_remove(const char *path);

#endif
