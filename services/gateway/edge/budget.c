/* Waste budget: a bucket that received bytes empty, and useful frames and time fill again. */
#include "services/gateway/edge/budget.h"

#include "common/base/limits.h"

#define NS_PER_S 1000000000U

void kw_edge_budget_init(struct kw_edge_budget *budget, size_t len_max, uint64_t now_ns)
{
    *budget = (struct kw_edge_budget){.len_max = len_max, .left = len_max, .refilled_ns = now_ns};
}

static void give(struct kw_edge_budget *budget, uint64_t len)
{
    size_t room = budget->len_max - budget->left;

    budget->left += len < room ? (size_t)len : room;
}

/* Whole seconds only: the remainder stays for the next time, so frequent calls lose nothing. */
static void refill(struct kw_edge_budget *budget, uint64_t now_ns)
{
    uint64_t seconds;

    if (now_ns < budget->refilled_ns + NS_PER_S) {
        return;
    }
    seconds = (now_ns - budget->refilled_ns) / NS_PER_S;
    budget->refilled_ns += seconds * NS_PER_S;
    give(budget, seconds * KW_EDGE_WASTE_REFILL_PER_S);
}

bool kw_edge_budget_charge(struct kw_edge_budget *budget, size_t len, uint64_t now_ns)
{
    refill(budget, now_ns);
    if (len > budget->left) {
        budget->left = 0;
        return false;
    }
    budget->left -= len;
    return true;
}

void kw_edge_budget_refund(struct kw_edge_budget *budget, size_t len)
{
    give(budget, (uint64_t)len + KW_EDGE_WASTE_REFUND);
}
