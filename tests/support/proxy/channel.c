/* The queue with due times, and the rules that say what happens to its head. */
#include "tests/support/proxy/channel.h"

#include "tests/support/dice.h"

#include <assert.h>
#include <stdlib.h>

#define MS_NS         1000000ULL
#define S_NS          1000000000ULL
#define SLICES_PER_S  100U /* with bytes_per_s: one write is what may arrive in a hundredth */
#define BITS_PER_BYTE 8U

struct channel_chunk {
    struct channel_chunk *next;
    enum channel_step step; /* CHANNEL_WRITE, or an end without bytes */
    bool repeat;
    uint64_t due_ns;
    size_t len;
    size_t taken;
    uint8_t data[];
};

void channel_init(struct channel *channel, const struct proxy_faults *faults,
                  struct proxy_counts *counts, uint64_t seed)
{
    *channel = (struct channel){.faults = faults, .counts = counts, .seed = seed, .dice = seed};
    channel->last = &channel->first;
}

/* --- the queue --- */

/* Without memory a test tool can only stop. */
static struct channel_chunk *push(struct channel *channel, enum channel_step step,
                                  struct kw_bytes bytes, uint64_t due_ns)
{
    struct channel_chunk *chunk = malloc(sizeof(*chunk) + bytes.len);

    if (chunk == NULL) {
        abort();
    }
    *chunk = (struct channel_chunk){.step = step, .due_ns = due_ns, .len = bytes.len};
    kw_copy(chunk->data, bytes.data, bytes.len);
    *channel->last = chunk;
    channel->last = &chunk->next;
    channel->chunk_count++;
    channel->held += bytes.len;
    channel->counts->held += bytes.len;
    return chunk;
}

static void pop(struct channel *channel)
{
    struct channel_chunk *chunk = channel->first;
    size_t left = chunk->len - chunk->taken;

    channel->first = chunk->next;
    if (channel->first == NULL) {
        channel->last = &channel->first;
    }
    channel->chunk_count--;
    channel->held -= left;
    channel->counts->held -= left;
    channel->counts->dropped += left;
    free(chunk);
}

static void drop_all(struct channel *channel)
{
    while (channel->first != NULL) {
        pop(channel);
    }
}

void channel_done(struct channel *channel)
{
    drop_all(channel);
}

void channel_drop(struct channel *channel)
{
    channel->over = true;
    drop_all(channel);
}

/* --- in --- */

static bool vanishes(const struct channel *channel)
{
    return channel->faults->half_open != 0 || channel->over || channel->cut;
}

size_t channel_room(const struct channel *channel)
{
    uint64_t hold_max = channel->faults->hold_max;
    uint64_t room;

    if (vanishes(channel)) {
        return PROXY_READ_LEN;
    }
    if (channel->chunk_count >= PROXY_CHUNKS_MAX || channel->held >= hold_max) {
        return 0;
    }
    room = hold_max - channel->held;
    return room < PROXY_READ_LEN ? (size_t)room : PROXY_READ_LEN;
}

/* When what is sent now may arrive. What was sent earlier is before it in the queue, however late it is. */
static uint64_t due(struct channel *channel, uint64_t now_ns)
{
    uint64_t delay = channel->faults->delay_ms * MS_NS;
    uint64_t jitter = channel->faults->jitter_ms * MS_NS;
    uint64_t latest = delay + jitter;
    uint64_t spread = jitter == 0 ? 0 : dice_roll(&channel->dice) % (2 * jitter + 1);

    return now_ns + (latest > spread ? latest - spread : 0);
}

/* Which bit of which byte, in the n-th block of so many bytes: known however the bytes are cut into reads. */
static void flip_in_block(struct channel *channel, struct channel_chunk *chunk, uint64_t block)
{
    uint64_t every = channel->faults->corrupt_every;
    uint64_t state = channel->seed ^ block;
    uint64_t at = block * every + dice_roll(&state) % every;
    uint64_t bit = dice_roll(&state) % BITS_PER_BYTE;

    if (at >= channel->arrived && at - channel->arrived < chunk->len) {
        chunk->data[at - channel->arrived] ^= (uint8_t)(1U << bit);
        channel->counts->flipped++;
    }
}

static void corrupt(struct channel *channel, struct channel_chunk *chunk)
{
    uint64_t every = channel->faults->corrupt_every;
    uint64_t first = every == 0 ? 1 : channel->arrived / every;
    uint64_t last = every == 0 ? 0 : (channel->arrived + chunk->len - 1) / every;

    for (uint64_t block = first; block <= last; block++) {
        flip_in_block(channel, chunk, block);
    }
}

void channel_put(struct channel *channel, struct kw_bytes bytes, uint64_t now_ns)
{
    struct channel_chunk *chunk;
    uint64_t at;

    assert(bytes.len > 0);
    channel->counts->in += bytes.len;
    if (vanishes(channel)) {
        channel->lost = channel->lost || channel->faults->half_open != 0;
        channel->counts->dropped += bytes.len;
        return;
    }
    at = due(channel, now_ns);
    channel->counts->delayed += at > now_ns;
    chunk = push(channel, CHANNEL_WRITE, bytes, at);
    corrupt(channel, chunk);
    channel->arrived += bytes.len;
}

void channel_end(struct channel *channel, enum channel_step how, uint64_t now_ns)
{
    if (channel->faults->half_open != 0) {
        channel->lost = true;
        channel->counts->lost++;
        return;
    }
    (void)push(channel, how, KW_BYTES_NONE, due(channel, now_ns));
}

/* --- out --- */

/* The faults that end a connection after so many bytes. */
static const struct cut {
    size_t at; /* offset in struct proxy_faults */
    enum channel_step step;
    bool repeats;
} cuts[] = {
    {offsetof(struct proxy_faults, reset_after), CHANNEL_RESET, false},
    {offsetof(struct proxy_faults, cut_after), CHANNEL_CLOSE, false},
    {offsetof(struct proxy_faults, duplicate_after), CHANNEL_CLOSE, true},
};

#define CUT_COUNT (sizeof(cuts) / sizeof(cuts[0]))

/* 0: never. */
static uint64_t cut_at(const struct channel *channel, const struct cut *cut)
{
    return *(const uint64_t *)(const void *)((const uint8_t *)channel->faults + cut->at);
}

/* What is behind the cut is gone; what the cut brings is there at once. */
static void make_cut(struct channel *channel, const struct cut *cut, uint64_t now_ns)
{
    channel->cut = true;
    drop_all(channel);
    if (cut->repeats) {
        push(channel, CHANNEL_WRITE, KW_BYTES(channel->tail, channel->tail_len), now_ns)->repeat =
            true;
    }
    (void)push(channel, cut->step, KW_BYTES_NONE, now_ns);
}

/* A rule: has it something to say about the head? The first that has decides. */
typedef bool (*rule)(struct channel *channel, uint64_t now_ns, struct channel_action *action);

static bool wait_until(uint64_t until_ns, struct channel_action *action)
{
    *action = (struct channel_action){.step = CHANNEL_WAIT, .until_ns = until_ns};
    return true;
}

/* Who once lost bytes can't go on when the other end is back: it would not know the connection. */
static bool rule_half_open(struct channel *channel, uint64_t now_ns, struct channel_action *action)
{
    (void)now_ns;
    if (channel->faults->half_open != 0) {
        channel->lost = channel->lost || channel->first != NULL;
        drop_all(channel);
        return wait_until(CHANNEL_NEVER, action);
    }
    *action = (struct channel_action){.step = CHANNEL_RESET};
    return channel->lost;
}

static bool rule_cut(struct channel *channel, uint64_t now_ns, struct channel_action *action)
{
    (void)action;
    for (size_t i = 0; i < CUT_COUNT && !channel->cut && !channel->over; i++) {
        uint64_t at = cut_at(channel, &cuts[i]);

        if (at != 0 && channel->passed >= at) {
            make_cut(channel, &cuts[i], now_ns);
        }
    }
    return false; /* the head is another one now */
}

static bool rule_idle(struct channel *channel, uint64_t now_ns, struct channel_action *action)
{
    (void)now_ns;
    return (channel->first == NULL || channel->faults->stall != 0) &&
           wait_until(CHANNEL_NEVER, action);
}

static bool rule_delay(struct channel *channel, uint64_t now_ns, struct channel_action *action)
{
    return channel->first->due_ns > now_ns && wait_until(channel->first->due_ns, action);
}

static bool rule_rate(struct channel *channel, uint64_t now_ns, struct channel_action *action)
{
    return channel->faults->bytes_per_s != 0 && channel->paid_ns > now_ns &&
           wait_until(channel->paid_ns, action);
}

static bool rule_end(struct channel *channel, uint64_t now_ns, struct channel_action *action)
{
    enum channel_step step = channel->first->step;

    (void)now_ns;
    if (step == CHANNEL_WRITE) {
        return false;
    }
    pop(channel);
    channel->over = true;
    channel->counts->ends++;
    *action = (struct channel_action){.step = step};
    return true;
}

/* No more than the rate's share of a moment, and not beyond a cut. */
static size_t allowed(const struct channel *channel, size_t len)
{
    uint64_t rate = channel->faults->bytes_per_s;
    uint64_t most = rate == 0 ? len : rate / SLICES_PER_S + 1;

    for (size_t i = 0; i < CUT_COUNT && !channel->cut; i++) {
        uint64_t at = cut_at(channel, &cuts[i]);

        if (at != 0 && at - channel->passed < most) {
            most = at - channel->passed;
        }
    }
    return most < len ? (size_t)most : len;
}

static bool rule_write(struct channel *channel, uint64_t now_ns, struct channel_action *action)
{
    const struct channel_chunk *head = channel->first;

    (void)now_ns;
    *action = (struct channel_action){
        .step = CHANNEL_WRITE,
        .bytes = KW_BYTES(head->data + head->taken, allowed(channel, head->len - head->taken))};
    return true;
}

struct channel_action channel_next(struct channel *channel, uint64_t now_ns)
{
    static const rule rules[] = {rule_half_open, rule_cut, rule_idle, rule_delay,
                                 rule_rate,      rule_end, rule_write};
    struct channel_action action = {0};

    for (size_t i = 0; !rules[i](channel, now_ns, &action); i++) {
    }
    return action;
}

static void remember(struct channel *channel, struct kw_bytes bytes)
{
    size_t add = bytes.len < PROXY_REPEAT_LEN ? bytes.len : PROXY_REPEAT_LEN;
    size_t room = PROXY_REPEAT_LEN - add;
    size_t keep = channel->tail_len < room ? channel->tail_len : room;

    memmove(channel->tail, channel->tail + channel->tail_len - keep, keep);
    kw_copy(channel->tail + keep, bytes.data + bytes.len - add, add);
    channel->tail_len = keep + add;
}

void channel_wrote(struct channel *channel, size_t len, uint64_t now_ns)
{
    struct channel_chunk *head = channel->first;
    uint64_t rate = channel->faults->bytes_per_s;

    remember(channel, KW_BYTES(head->data + head->taken, len));
    head->taken += len;
    channel->passed += len;
    channel->held -= len;
    channel->counts->held -= len;
    channel->counts->out += len;
    channel->counts->repeats += head->repeat ? len : 0;
    channel->paid_ns = rate == 0 ? 0 : now_ns + len * S_NS / rate;
    if (head->taken == head->len) {
        pop(channel);
    }
}
