/* The files of a region below its out_dir: where they are, and writing them. */
#ifndef KW_SERVICES_CRYPTOCORE_REGION_OUT_H
#define KW_SERVICES_CRYPTOCORE_REGION_OUT_H

#include "common/base/bytes.h"

#include <limits.h>

#define KW_OUT_REGIONS "pki/regions.kwg" /* the set of regions, as the root signed it */
#define KW_OUT_ROOT    "pki/root.pem"

/* `path` has PATH_MAX bytes. Fails: CONFIG_INVALID (too long). */
struct kw_result kw_out_path(const char *dir, const char *name, char path[PATH_MAX],
                             struct kw_error *err);

/* Makes `dir` if need be, and its directories, which must not be there yet. Fails: SYSTEM,
 * CONFIG_INVALID. */
struct kw_result kw_out_directories(const char *dir, struct kw_error *err);

/* Makes one directory below it, which may be there where that is said. Fails: CONFIG_INVALID. */
struct kw_result kw_out_directory(const char *dir, const char *name, bool may_exist,
                                  struct kw_error *err);

/* Writes a file that others may read. Fails: CONFIG_INVALID, SYSTEM. */
struct kw_result kw_out_put(const char *dir, const char *name, struct kw_bytes content,
                            struct kw_error *err);

/* The same of a DER certificate, as PEM. Fails: ARGUMENT_INVALID, CONFIG_INVALID, SYSTEM, MEMORY. */
struct kw_result kw_out_put_certificate(const char *dir, const char *name, struct kw_bytes der,
                                        struct kw_error *err);

/* Reads a file. Fails: CONFIG_INVALID, MEMORY. */
struct kw_result kw_out_get(const char *dir, const char *name, struct kw_buf *ret_content,
                            struct kw_error *err);

#endif
