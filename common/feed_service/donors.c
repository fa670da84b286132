/* Shares and bars. */
#include "common/feed_service/donors.h"

#include "common/base/clock.h"

/* KW_PEERS_MAX: nothing is known of it, or it is so long ago that others are in its place. */
static size_t bar_of(const struct kw_feed_donors *donors, struct kw_id store)
{
    size_t at = 0;

    while (at < KW_PEERS_MAX && !kw_id_equal(donors->bars[at].store, store)) {
        at++;
    }
    return at;
}

static struct kw_feed_bar *bar_for(struct kw_feed_donors *donors, struct kw_id store)
{
    size_t at = bar_of(donors, store);

    if (at == KW_PEERS_MAX) {
        at = donors->oldest;
        donors->oldest = (donors->oldest + 1) % KW_PEERS_MAX;
        donors->bars[at] = (struct kw_feed_bar){.store = store};
    }
    return &donors->bars[at];
}

static unsigned times_of(const struct kw_feed_donors *donors, struct kw_id store)
{
    size_t at = bar_of(donors, store);

    return at < KW_PEERS_MAX ? donors->bars[at].times : 0;
}

static void put_away(struct kw_feed_donors *donors)
{
    if (!kw_id_is_none(donors->present)) {
        struct kw_feed_bar *bar = bar_for(donors, donors->present);

        bar->used_ns = donors->used_ns;
        bar->answers = donors->answers;
    }
}

void kw_feed_donor_begin(struct kw_feed_donors *donors, struct kw_id store, bool is_new)
{
    uint64_t share_ms = is_new ? KW_JOIN_NEW_MS : KW_JOIN_DONOR_MS;
    size_t at;

    if (kw_id_equal(donors->present, store)) {
        return;
    }
    put_away(donors);
    at = bar_of(donors, store);
    donors->present = donors->last = store;
    donors->share_ns = (share_ms << times_of(donors, store)) * KW_NS_PER_MS;
    donors->used_ns = at < KW_PEERS_MAX ? donors->bars[at].used_ns : 0;
    donors->answers = at < KW_PEERS_MAX ? donors->bars[at].answers : 0;
    donors->failures = 0;
}

void kw_feed_donor_asked(struct kw_feed_donors *donors, uint64_t now_ns)
{
    donors->asked_ns = now_ns;
}

void kw_feed_donor_gave(struct kw_feed_donors *donors, uint64_t now_ns)
{
    donors->used_ns += now_ns - donors->asked_ns;
    donors->answers++;
    donors->failures = 0;
}

void kw_feed_donor_failed(struct kw_feed_donors *donors, uint64_t now_ns)
{
    donors->used_ns += now_ns - donors->asked_ns;
    donors->failures++;
}

const char *kw_feed_donor_over(const struct kw_feed_donors *donors)
{
    uint64_t most = (uint64_t)KW_JOIN_ANSWERS_MAX << times_of(donors, donors->present);

    if (donors->failures >= KW_JOIN_FAILURES_MAX) {
        return "failed";
    }
    if (donors->answers >= most) {
        return "endless";
    }
    return donors->used_ns >= donors->share_ns ? "late" : NULL;
}

void kw_feed_donor_bar(struct kw_feed_donors *donors, uint64_t now_ns)
{
    struct kw_feed_bar *bar = bar_for(donors, donors->present);

    bar->used_ns = 0;
    bar->answers = 0;
    bar->until_ns = now_ns + ((uint64_t)KW_JOIN_BAR_MS << 2 * bar->times) * KW_NS_PER_MS;
    bar->times += bar->times < KW_JOIN_BAR_TIMES;
    donors->present = KW_ID_NONE;
}

void kw_feed_donor_done(struct kw_feed_donors *donors)
{
    for (size_t i = 0; i < KW_PEERS_MAX; i++) {
        donors->bars[i].used_ns = 0;
        donors->bars[i].answers = 0;
    }
    donors->present = KW_ID_NONE;
}

bool kw_feed_donor_barred(const struct kw_feed_donors *donors, struct kw_id store, uint64_t now_ns)
{
    size_t at = bar_of(donors, store);

    return at < KW_PEERS_MAX && now_ns < donors->bars[at].until_ns;
}

struct kw_id kw_feed_donor_next(const struct kw_feed_donors *donors,
                                const struct kw_feed_neighbours *neighbours, bool any,
                                uint64_t now_ns)
{
    size_t at = 0;

    while (at < neighbours->count && !kw_id_equal(neighbours->list[at].store, donors->last)) {
        at++;
    }
    for (size_t i = 1; i <= neighbours->count; i++) {
        struct kw_id store = neighbours->list[(at + i) % neighbours->count].store;

        if (any || !kw_feed_donor_barred(donors, store, now_ns)) {
            return store;
        }
    }
    return KW_ID_NONE;
}
