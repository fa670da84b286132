/* What the parts of hsm_load share. */
#ifndef KW_BENCH_HSM_LOAD_H
#define KW_BENCH_HSM_LOAD_H

#include "bench/bench.h"
#include "services/cryptocore/hsm/operations.h"

#include <limits.h>

#define HSM_LOAD_TOKEN   "keyward-bench"
#define HSM_LOAD_MODULE  "/usr/lib/softhsm/libsofthsm2.so"
#define HSM_LOAD_REQUEST "request.bin"
#define HSM_LOAD_LEN_MAX (64U * 1024U)

/* DIR/name; returns `path`, which has PATH_MAX bytes. */
const char *hsm_load_path(const char *dir, const char *name, char *path);

/* bench/hsm_make.c: a token after its ceremony, and the request that GetDeviceAccess makes of a
 * worker, for a key with `facts` enabling facts, written to DIR. Must be its own process: the
 * module is open in it. */
void hsm_make(const char *dir, size_t facts);

/* bench/hsm_list.c: the PKCS#11 calls of that request and nothing else; all bytes that go in are
 * made once. */
struct hsm_list;
struct hsm_list *hsm_list_new(const struct kw_hsm_derive *derive);
struct kw_result hsm_list_run(struct hsm_list *list, struct kw_hsm_session *session,
                              struct kw_error *err);

#endif
