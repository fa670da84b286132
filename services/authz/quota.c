/* Arithmetic of windows. */
#include "services/authz/quota.h"

uint64_t kw_quota_window(const struct kw_grant_row *grant, uint64_t now_ms)
{
    if (grant->window_ms == 0 || now_ms < grant->start_ms) {
        return grant->start_ms;
    }
    return now_ms - (now_ms - grant->start_ms) % grant->window_ms;
}

/* A clock that is set back does not reopen a window that was used: the later window counts. */
static uint64_t used_now(const struct kw_grant_row *grant, const struct kw_quota *quota,
                         uint64_t now_ms)
{
    return quota->window_start_ms >= kw_quota_window(grant, now_ms) ? quota->used : 0;
}

static uint64_t used_elsewhere(const struct kw_grant_row *grant, const struct kw_quota *quota,
                               uint64_t now_ms)
{
    return quota->window_start_ms >= kw_quota_window(grant, now_ms) ? quota->others : 0;
}

uint64_t kw_quota_left(const struct kw_grant_row *grant, const struct kw_quota *quota,
                       uint64_t now_ms)
{
    uint64_t used = used_now(grant, quota, now_ms);
    uint64_t others = used_elsewhere(grant, quota, now_ms);
    uint64_t all = others <= UINT64_MAX - used ? used + others : UINT64_MAX;

    if (grant->max_operations == 0) {
        return UINT64_MAX;
    }
    return all < grant->max_operations ? grant->max_operations - all : 0;
}

bool kw_quota_take(const struct kw_grant_row *grant, struct kw_quota *quota, uint64_t now_ms)
{
    uint64_t window = kw_quota_window(grant, now_ms);

    if (kw_quota_left(grant, quota, now_ms) == 0) {
        return false;
    }
    quota->others = used_elsewhere(grant, quota, now_ms);
    quota->used = used_now(grant, quota, now_ms) + 1;
    quota->window_start_ms = window > quota->window_start_ms ? window : quota->window_start_ms;
    return true;
}

uint32_t kw_quota_retry_ms(const struct kw_grant_row *grant, const struct kw_quota *quota,
                           uint64_t now_ms)
{
    uint64_t window = kw_quota_window(grant, now_ms);
    uint64_t last = quota->window_start_ms > window ? quota->window_start_ms : window;
    uint64_t next = last + grant->window_ms;

    if (grant->window_ms == 0 || next >= grant->end_ms || next <= now_ms) {
        return 0;
    }
    return next - now_ms < UINT32_MAX ? (uint32_t)(next - now_ms) : UINT32_MAX;
}

void kw_quota_give_back(const struct kw_grant_row *grant, struct kw_quota *quota, uint64_t taken_ms)
{
    if (quota->used > 0 && quota->window_start_ms == kw_quota_window(grant, taken_ms)) {
        quota->used--;
    }
}
