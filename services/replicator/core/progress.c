/* One peer in one lane. */
#include "services/replicator/core/progress.h"

#include "common/sync/stamp.h"

#include <string.h>

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void kw_progress_restart(struct kw_progress *progress)
{
    *progress = (struct kw_progress){.carry_ms = progress->carry_ms};
}

/* Batches up to `seq` have arrived. */
static void land(struct kw_progress *progress, uint64_t seq)
{
    size_t landed = 0;

    while (landed < progress->flight_count && progress->flights[landed] <= seq) {
        landed++;
    }
    progress->flight_count -= landed;
    memmove(progress->flights, progress->flights + landed,
            progress->flight_count * sizeof(progress->flights[0]));
}

bool kw_progress_known(struct kw_progress *progress, struct kw_extent known, uint64_t now_ms)
{
    bool closer = known.seq > progress->known.seq;

    if (known.closed > progress->known.closed) {
        progress->beats = 0;
    }
    progress->known.seq = max_u64(progress->known.seq, known.seq);
    progress->known.closed = max_u64(progress->known.closed, known.closed);
    progress->sent.seq = max_u64(progress->sent.seq, progress->known.seq);
    progress->sent.closed = max_u64(progress->sent.closed, progress->known.closed);
    land(progress, progress->known.seq);
    if (closer) {
        progress->flown_ms = now_ms;
        progress->behind_ms = 0;
    }
    return closer;
}

void kw_progress_need(struct kw_progress *progress, uint64_t seq)
{
    progress->sent = (struct kw_extent){.seq = max_u64(seq, progress->known.seq),
                                        .closed = progress->known.closed};
    progress->flight_count = 0;
}

void kw_progress_sent(struct kw_progress *progress, struct kw_extent sent, uint64_t now_ms)
{
    if (sent.seq > progress->sent.seq && progress->flight_count < KW_LINK_BATCHES_MAX) {
        if (progress->flight_count == 0) {
            progress->flown_ms = now_ms;
        }
        progress->flights[progress->flight_count++] = sent.seq;
    } else {
        if (progress->beats == 0) {
            progress->beaten_ms = now_ms;
        }
        progress->beats++;
    }
    progress->sent.seq = max_u64(progress->sent.seq, sent.seq);
    progress->sent.closed = max_u64(progress->sent.closed, sent.closed);
}

void kw_progress_resend(struct kw_progress *progress, uint64_t now_ms)
{
    if (progress->flight_count > 0 && now_ms >= progress->flown_ms + KW_LINK_RESEND_MS) {
        kw_progress_need(progress, progress->known.seq);
        progress->flown_ms = now_ms;
    }
    if (now_ms >= progress->beaten_ms + KW_LINK_RESEND_MS) {
        progress->beats = 0;
    }
}

/* Behind in changes; or in the promise alone, where a little is nothing. */
static bool behind(const struct kw_progress *progress, struct kw_extent ours)
{
    return progress->known.seq < ours.seq ||
           kw_hlc_ms(progress->known.closed) + KW_RELAY_PROMISE_MS < kw_hlc_ms(ours.closed);
}

bool kw_progress_due(struct kw_progress *progress, struct kw_extent ours, unsigned turn,
                     uint64_t now_ms)
{
    if (turn == 0 || now_ms < progress->carry_ms) {
        return true;
    }
    if (!behind(progress, ours)) {
        progress->behind_ms = 0;
        return false;
    }
    if (progress->behind_ms == 0) {
        progress->behind_ms = now_ms;
    }
    if (now_ms - progress->behind_ms < (uint64_t)turn * KW_RELAY_WAIT_MS) {
        return false;
    }
    progress->carry_ms = now_ms + KW_RELAY_KEEP_MS;
    return true;
}

bool kw_progress_wants(const struct kw_progress *progress, struct kw_extent ours)
{
    if (progress->reading || progress->held_back || progress->flight_count == KW_LINK_BATCHES_MAX ||
        progress->sent.seq > ours.seq) {
        return false;
    }
    return progress->sent.seq < ours.seq ||
           (progress->sent.closed < ours.closed && progress->beats < KW_LINK_BATCHES_MAX);
}
