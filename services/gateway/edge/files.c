/* The limit is asked each time: it may be changed from outside while the process runs. */
#include "services/gateway/edge/files.h"

#include "common/base/limits.h"
#include "common/base/log.h"

#include <sys/resource.h>

void kw_edge_files_raise(uint32_t connections)
{
    rlim_t wanted = (rlim_t)connections + KW_EDGE_FILES_OTHER;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
        return;
    }
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted) {
        KW_LOG(WARN, "fewer connections than the limit says: file descriptors",
               KW_F_U64("descriptors", limit.rlim_cur), KW_F_U64("connections", connections));
    }
}

bool kw_edge_files_scarce(int fd)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
           (rlim_t)fd + KW_EDGE_FILES_KEPT >= limit.rlim_cur;
}
