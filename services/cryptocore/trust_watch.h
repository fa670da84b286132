/* Another region came to the mesh while this core runs: its callers' CAs are read again. */
#ifndef KW_SERVICES_CRYPTOCORE_TRUST_WATCH_H
#define KW_SERVICES_CRYPTOCORE_TRUST_WATCH_H

#include "common/base/file.h"
#include "common/loop/loop.h"
#include "services/cryptocore/pki_files.h"

#define KW_TRUST_WATCH_MS 2000U

/* In the caller's storage. Loop thread. */
struct kw_trust_watch {
    struct kw_timer timer;
    struct kw_core_pki *pki; /* whose callers' CAs are replaced */
    const char *dir;
    struct kw_file_stamp seen; /* the set of regions, as it was read */
};

/* Reads once more what was read at the start, which may have changed meanwhile; then looks every
 * KW_TRUST_WATCH_MS whether the set of regions in `dir` is another one, which is the last
 * file that changes (region/publish.h). What can't be read leaves the present CAs in force, and is
 * told once. `pki` and `dir` are borrowed. */
void kw_trust_watch_start(struct kw_trust_watch *watch, struct kw_loop *loop,
                          struct kw_core_pki *pki, const char *dir);
void kw_trust_watch_stop(struct kw_trust_watch *watch);

#endif
