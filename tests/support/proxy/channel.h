/* Channel: one way of one connection under faults. Pure: bytes and the time go in, what to do comes out; sockets
 * and timers are the caller's.
 *
 *     put, end ──▶ [ chunk due 10 ][ chunk due 14 ][ end due 14 ] ──▶ next: write, wait until …, end, reset
 *
 * Faults are the link's and may change between any two calls. Memory is bounded: no more than
 * `channel_room` may be put.
 */
#ifndef KW_TESTS_SUPPORT_PROXY_CHANNEL_H
#define KW_TESTS_SUPPORT_PROXY_CHANNEL_H

#include "common/base/bytes.h"
#include "tests/support/proxy/faults.h"

#define CHANNEL_NEVER UINT64_MAX

enum channel_step {
    CHANNEL_WAIT, /* nothing to do before `until_ns`, or before something is put or faults change */
    CHANNEL_WRITE, /* `bytes`; they stay valid until channel_wrote */
    CHANNEL_END,   /* the receiver is told that no more comes */
    CHANNEL_RESET, /* both ends are reset */
    CHANNEL_CLOSE  /* both ends are closed */
};

struct channel_action {
    enum channel_step step;
    struct kw_bytes bytes;
    uint64_t until_ns;
};

struct channel_chunk;

struct channel {
    const struct proxy_faults *faults;
    struct proxy_counts *counts;
    uint64_t seed;
    uint64_t dice;
    struct channel_chunk *first;
    struct channel_chunk **last;
    size_t chunk_count;
    size_t held;                    /* bytes in chunks */
    uint64_t arrived;               /* bytes put, ever */
    uint64_t passed;                /* bytes written, ever */
    uint64_t paid_ns;               /* bytes_per_s: when the next byte may go */
    bool over;                      /* nothing more is passed on; what is put vanishes */
    bool cut;                       /* one of the *_after has happened */
    bool lost;                      /* half_open took something */
    uint8_t tail[PROXY_REPEAT_LEN]; /* the last bytes that passed */
    size_t tail_len;
};

/* `faults` and `counts` must outlive it. The same seed and the same puts give the same. */
void channel_init(struct channel *channel, const struct proxy_faults *faults,
                  struct proxy_counts *counts, uint64_t seed);
void channel_done(struct channel *channel);

/* How many bytes may be put now. 0: the sender has to wait. */
size_t channel_room(const struct channel *channel);

/* The sender sent one byte or more. Copies. */
void channel_put(struct channel *channel, struct kw_bytes bytes, uint64_t now_ns);

/* The sender will send no more: CHANNEL_END, or CHANNEL_RESET. */
void channel_end(struct channel *channel, enum channel_step how, uint64_t now_ns);

/* The receiver is gone: nothing more will arrive. No write may be under way. */
void channel_drop(struct channel *channel);

/* What to do now. Each end is told once. No write may be under way. */
struct channel_action channel_next(struct channel *channel, uint64_t now_ns);

/* All bytes of the last CHANNEL_WRITE were taken. */
void channel_wrote(struct channel *channel, size_t len, uint64_t now_ns);

#endif
