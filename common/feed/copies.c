/* A list of those who wait, looked through whenever something was heard: there are as many as calls. */
#include "common/feed/copies.h"

/* Which of the others a level asks, beyond what the one before it asked; one of them, or all? Where there is none
 * of these nobody is asked. */
struct asked {
    bool near;
    bool far;
    bool all;
};

static const struct asked asked_by[] = {
    [KW_COPY_CELL] = {.near = true, .far = true},
    [KW_COPY_REGION] = {.near = true, .all = true},
    [KW_COPY_ALL] = {.far = true, .all = true},
    [KW_COPY_FAR] = {.far = true},
};

static bool is_held(const struct kw_copies *copies, struct kw_id lane, uint64_t seq,
                    enum kw_copy_level level)
{
    const struct asked *asked = &asked_by[level];
    size_t there = 0;
    size_t held = 0;

    for (size_t i = 0; i < copies->count; i++) {
        const struct kw_copy_holder *holder = &copies->holders[i];

        if ((holder->far ? asked->far : asked->near) && (asked->all || !holder->leaves)) {
            there++;
            held += kw_id_equal(copies->lane, lane) && holder->seq >= seq;
        }
    }
    return there == 0 || (asked->all ? held == there : held > 0);
}

enum kw_copy_level kw_copies_level(const struct kw_copies *copies, struct kw_id lane, uint64_t seq)
{
    enum kw_copy_level level = KW_COPY_LOCAL;

    while (copies->known && level < KW_COPY_ALL && is_held(copies, lane, seq, level + 1)) {
        level++;
    }
    return level;
}

bool kw_copies_reached(const struct kw_copies *copies, struct kw_id lane, uint64_t seq,
                       enum kw_copy_level level)
{
    if (level == KW_COPY_FAR) {
        return kw_copies_level(copies, lane, seq) >= KW_COPY_CELL &&
               is_held(copies, lane, seq, level);
    }
    return kw_copies_level(copies, lane, seq) >= level;
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

void kw_copies_hurry(struct kw_copies *copies, uint64_t deadline_ns)
{
    for (struct kw_copy_wait *wait = copies->waits; wait != NULL; wait = wait->next) {
        wait->deadline_ns = wait->deadline_ns < deadline_ns ? wait->deadline_ns : deadline_ns;
    }
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
            copies->holders[i].seq = known->seq;
        }
    }
    wake(copies);
}

/* Of an earlier lane of ours nobody waits for anything. */
void kw_copies_lane(struct kw_copies *copies, struct kw_id lane)
{
    if (kw_id_equal(copies->lane, lane)) {
        return;
    }
    copies->lane = lane;
    for (size_t i = 0; i < copies->count; i++) {
        copies->holders[i].seq = 0;
    }
}

void kw_copies_held(struct kw_copies *copies, struct kw_id store, struct kw_id lane, uint64_t seq)
{
    struct kw_copy_holder *holder = find(copies, store);

    if (holder == NULL || !kw_id_equal(copies->lane, lane) || holder->seq >= seq) {
        return;
    }
    holder->seq = seq;
    wake(copies);
}
