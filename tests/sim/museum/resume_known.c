/* Bug: after a link was down a peer is taken to hold what it held before, though it may have lost its
 * tail or what was on its way. */
#include "services/replicator/core/progress.h"

void __wrap_kw_progress_restart(struct kw_progress *progress);

void __wrap_kw_progress_restart(struct kw_progress *progress)
{
    progress->reading = false;
    progress->flight_count = 0;
    progress->known.seq = progress->sent.seq;
}
