/* Waste budget: a bucket that received bytes empty, and useful frames and time fill again. */
#include "services/gateway/edge/budget.h"

#include "common/base/clock.h"
#include "common/base/limits.h"

void kw_edge_budget_init(struct kw_edge_budget *budget, size_t len_max, uint64_t now_ns)
{
    *budget = (struct kw_edge_budget){
        .len_max = (int64_t)len_max, .left = (int64_t)len_max, .refilled_ns = now_ns};
}

/* Never fills above `left_max`, and never takes away what is there. */
static void give(struct kw_edge_budget *budget, size_t len, int64_t left_max)
{
    int64_t filled = budget->left + (int64_t)len;
    int64_t most = budget->left > left_max ? budget->left : left_max;

    budget->left = filled < most ? filled : most;
}

/* Whole seconds only: the remainder stays for the next time, so frequent calls lose nothing. */
static void refill(struct kw_edge_budget *budget, uint64_t now_ns)
{
    uint64_t seconds;

    if (now_ns < budget->refilled_ns + KW_NS_PER_S) {
        return;
    }
    seconds = (now_ns - budget->refilled_ns) / KW_NS_PER_S;
    budget->refilled_ns += seconds * KW_NS_PER_S;
    give(budget, seconds * KW_EDGE_WASTE_REFILL_PER_S, budget->len_max);
}

bool kw_edge_budget_charge(struct kw_edge_budget *budget, size_t len, uint64_t now_ns)
{
    refill(budget, now_ns);
    budget->left -= (int64_t)len;
    return budget->left >= 0;
}

void kw_edge_budget_punish(struct kw_edge_budget *budget)
{
    budget->left -= KW_EDGE_WASTE_PENALTY;
}

void kw_edge_budget_refund(struct kw_edge_budget *budget, size_t len)
{
    give(budget, len + KW_EDGE_WASTE_REFUND, budget->len_max);
}

void kw_edge_budget_forgive(struct kw_edge_budget *budget, size_t len)
{
    give(budget, len, budget->len_max + KW_EDGE_CONNECTION_WINDOW);
}
