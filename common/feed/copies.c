/* A list of those who wait, looked through whenever something was heard: there are as many as calls. */
#include "common/feed/copies.h"

static bool holds(const struct kw_copy_holder *holder, struct kw_id lane, uint64_t seq)
{
    return kw_id_equal(holder->lane, lane) && holder->seq >= seq;
}

/* Of the members near and far together, or of the far alone: is there one, and does one hold it? */
static bool any_holds(const struct kw_copies *copies, struct kw_id lane, uint64_t seq, bool far,
                      bool *ret_there)
{
    bool found = false;

    *ret_there = false;
    for (size_t i = 0; i < copies->count; i++) {
        const struct kw_copy_holder *holder = &copies->holders[i];

        if (!far || holder->far) {
            *ret_there = true;
            found = found || holds(holder, lane, seq);
        }
    }
    return found;
}

bool kw_copies_reached(const struct kw_copies *copies, struct kw_id lane, uint64_t seq,
                       enum kw_copy_level level)
{
    bool there;

    if (!copies->known) {
        return false;
    }
    if (level == KW_COPY_REGION) {
        bool reached = any_holds(copies, lane, seq, true, &there);

        if (there) {
            return reached;
        }
    }
    return any_holds(copies, lane, seq, false, &there) || !there;
}

/* --- who waits --- */

static void push(struct kw_copy_wait **list, struct kw_copy_wait *wait)
{
    wait->next = *list;
    wait->link = list;
    if (wait->next != NULL) {
        wait->next->link = &wait->next;
    }
    *list = wait;
}

void kw_copies_wait(struct kw_copies *copies, struct kw_copy_wait *wait)
{
    push(&copies->waits, wait);
}

void kw_copies_forget(struct kw_copy_wait *wait)
{
    if (wait->link == NULL) {
        return;
    }
    *wait->link = wait->next;
    if (wait->next != NULL) {
        wait->next->link = wait->link;
    }
    wait->link = NULL;
}

/* `done` may begin waits, and give up any other: they are told from a list of their own. */
static void tell(struct kw_copy_wait **list, bool reached)
{
    while (*list != NULL) {
        struct kw_copy_wait *wait = *list;

        kw_copies_forget(wait);
        wait->done(wait, reached);
    }
}

static void wake(struct kw_copies *copies)
{
    struct kw_copy_wait *ready = NULL;
    struct kw_copy_wait *next;

    for (struct kw_copy_wait *wait = copies->waits; wait != NULL; wait = next) {
        next = wait->next;
        if (kw_copies_reached(copies, wait->lane, wait->seq, wait->level)) {
            kw_copies_forget(wait);
            push(&ready, wait);
        }
    }
    tell(&ready, true);
}

bool kw_copies_tick(struct kw_copies *copies, uint64_t now_ns)
{
    struct kw_copy_wait *late = NULL;
    struct kw_copy_wait *next;

    wake(copies);
    for (struct kw_copy_wait *wait = copies->waits; wait != NULL; wait = next) {
        next = wait->next;
        if (now_ns >= wait->deadline_ns) {
            kw_copies_forget(wait);
            push(&late, wait);
        }
    }
    tell(&late, false);
    return copies->waits != NULL;
}

void kw_copies_end(struct kw_copies *copies)
{
    tell(&copies->waits, false);
}

/* --- who holds what --- */

static struct kw_copy_holder *find(struct kw_copies *copies, struct kw_id store)
{
    for (size_t i = 0; i < copies->count; i++) {
        if (kw_id_equal(copies->holders[i].store, store)) {
            return &copies->holders[i];
        }
    }
    return NULL;
}

void kw_copies_members(struct kw_copies *copies, const struct kw_copy_holder *members, size_t count)
{
    struct kw_copies before = *copies;

    copies->known = true;
    copies->count = count < KW_COPY_HOLDERS_MAX ? count : KW_COPY_HOLDERS_MAX;
    for (size_t i = 0; i < copies->count; i++) {
        const struct kw_copy_holder *known = find(&before, members[i].store);

        copies->holders[i] = members[i];
        if (known != NULL) {
            copies->holders[i].lane = known->lane;
            copies->holders[i].seq = known->seq;
        }
    }
    wake(copies);
}

/* Of an earlier lane of ours nobody waits for anything. */
void kw_copies_held(struct kw_copies *copies, struct kw_id store, struct kw_id lane, uint64_t seq)
{
    struct kw_copy_holder *holder = find(copies, store);

    if (holder == NULL || holds(holder, lane, seq)) {
        return;
    }
    holder->lane = lane;
    holder->seq = seq;
    wake(copies);
}
