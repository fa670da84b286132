/* The edge's counters: the one place that counts. */
#include "services/gateway/edge/edge_internal.h"

static const char *const labels[] = {
#define X(name, label) [KW_EDGE_STAT_##name] = label,
    KW_EDGE_STATS(X)
#undef X
};

void kw_edge_count(struct kw_edge *edge, enum kw_edge_stat stat)
{
    edge->stats[stat]++;
}

uint64_t kw_edge_stat(const struct kw_edge *edge, enum kw_edge_stat stat)
{
    return edge->stats[stat];
}

const char *kw_edge_stat_label(enum kw_edge_stat stat)
{
    return labels[stat];
}
