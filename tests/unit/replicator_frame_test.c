/* Frames as bytes: what is written is read again, in one way only, and what breaks a rule is refused. */
#include "common/base/file.h"
#include "common/feed/lane_check.h"
#include "keyward/internal/v1/feed.pb-c.h"
#include "services/replicator/frame_codec.h"
#include "tests/support/must.h"

#include <strings.h>

#define L "llllllllllllllll" /* a lane's id */
#define M "mmmmmmmmmmmmmmmm" /* the mesh's */
#define S "ssssssssssssssss" /* a store's */
#define T "tttttttttttttttt"
#define Z "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

/* A frame of one message, whose length is below 128. */
#define FRAME(key, len, content) (const uint8_t *)(key len content), sizeof(key len content) - 1

static const struct kw_reach lanes[] = {
    {.owner = KW_OWNER_AUTHZ, .lane = {L}, .extent = {.seq = 5, .closed = 7}},
    {.owner = KW_OWNER_ORCHESTRATOR, .lane = {T}, .extent = {.seq = 0, .closed = INT64_MAX}},
};

static const struct kw_link_hello hello = {.place = {"eu", "a"}, .version = 3, .version_lowest = 2};

static const struct kw_frame samples[] = {
    {.type = KW_FRAME_HELLO, .mesh = {M}, .stores = {{S}, {T}}},
    {.type = KW_FRAME_HELLO, .mesh = {M}, .stores = {{S}}},
    {.type = KW_FRAME_HELLO, .mesh = {M}, .stores = {KW_ID_NONE, {T}}},
    {.type = KW_FRAME_REACH},
    {.type = KW_FRAME_REACH, .reaches = lanes, .reach_count = 2},
    {.type = KW_FRAME_BATCH, .owner = KW_OWNER_AUTHZ, .record = {(const uint8_t *)"KWN1", 4}},
    {.type = KW_FRAME_URGENT,
     .owner = KW_OWNER_ORCHESTRATOR,
     .record = {(const uint8_t *)"KWU1", 4}},
    {.type = KW_FRAME_ACK, .reaches = lanes, .reach_count = 1},
    {.type = KW_FRAME_NEED, .reaches = &lanes[1], .reach_count = 1},
    {.type = KW_FRAME_VOUCHER, .owner = KW_OWNER_AUTHZ, .record = {(const uint8_t *)"KWV1", 4}},
    {.type = KW_FRAME_QUESTION, .record = {(const uint8_t *)"KWJ1", 4}, .number = 300},
    {.type = KW_FRAME_ANSWER,
     .owner = KW_OWNER_ORCHESTRATOR,
     .record = {(const uint8_t *)"KWD1", 4},
     .number = 1,
     .more = true},
    {.type = KW_FRAME_ANSWER, .number = 1},
};

#define SAMPLE_COUNT (sizeof(samples) / sizeof(samples[0]))

static struct kw_arena *arena;

static void setup(void)
{
    arena = kw_arena_new(SIZE_MAX);
    REQUIRE(arena != NULL, "memory");
}

static void teardown(void)
{
    kw_arena_free(arena);
}

TestSuite(replicator_frame, .init = setup, .fini = teardown);

static struct kw_bytes encoded(const struct kw_frame *frame)
{
    struct kw_bytes bytes;

    MUST(kw_frame_encode(frame, &hello, arena, &bytes, err));
    return bytes;
}

/* What reading gives; KW_E_NONE: it is a frame. */
static enum kw_reason decoded(struct kw_bytes bytes, struct kw_frame *ret_frame)
{
    struct kw_link_hello said;
    struct kw_error err = {0};
    struct kw_result result = kw_frame_decode(bytes, arena, ret_frame, &said, &err);

    cr_assert(kw_ok(result) || (err.reason == result.reason && err.message[0] != '\0'));
    return result.reason;
}

static void assert_refused(struct kw_bytes bytes, const char *what)
{
    struct kw_frame frame;

    cr_assert_eq(decoded(bytes, &frame), KW_E_ENCODING_INVALID, "%s", what);
}

static struct kw_bytes joined(struct kw_bytes first, struct kw_bytes second)
{
    uint8_t *both = kw_arena_alloc(arena, first.len + second.len + 1);

    REQUIRE(both != NULL, "memory");
    kw_copy(both, first.data, first.len);
    kw_copy(both + first.len, second.data, second.len);
    return KW_BYTES(both, first.len + second.len);
}

static void assert_same(const struct kw_frame *a, const struct kw_frame *b)
{
    cr_assert_eq(a->type, b->type);
    cr_assert(kw_id_equal(a->mesh, b->mesh));
    for (size_t i = 0; i < KW_OWNER_COUNT_; i++) {
        cr_assert(kw_id_equal(a->stores[i], b->stores[i]));
    }
    cr_assert_eq(a->owner, b->owner);
    cr_assert(kw_bytes_equal(a->record, b->record));
    cr_assert_eq(a->number, b->number);
    cr_assert_eq(a->more, b->more);
    cr_assert_eq(a->reach_count, b->reach_count);
    for (size_t i = 0; i < a->reach_count; i++) {
        cr_assert_eq(a->reaches[i].owner, b->reaches[i].owner);
        cr_assert(kw_id_equal(a->reaches[i].lane, b->reaches[i].lane));
        cr_assert_eq(a->reaches[i].extent.seq, b->reaches[i].extent.seq);
        cr_assert_eq(a->reaches[i].extent.closed, b->reaches[i].extent.closed);
    }
}

Test(replicator_frame, every_type_comes_back)
{
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        struct kw_bytes bytes = encoded(&samples[i]);
        struct kw_frame frame;
        struct kw_link_hello said = {0};

        MUST(kw_frame_decode(bytes, arena, &frame, &said, err));
        assert_same(&frame, &samples[i]);
        cr_assert(kw_bytes_equal(encoded(&frame), bytes));
        if (frame.type == KW_FRAME_HELLO) {
            cr_assert(kw_place_equal(&said.place, &hello.place));
            cr_assert_eq(said.version, 3);
            cr_assert_eq(said.version_lowest, 2);
        }
    }
}

/* Field numbers and types, which a neighbour of another release relies on; by Python's protobuf. */
Test(replicator_frame, they_are_written_as_they_were)
{
    static const struct kw_bytes rows[] = {
        [0] = {FRAME("\x0a", "\x41",
                     "\x08\x03\x10\x02\x1a\x10" M "\x22\x02"
                     "eu\x2a\x01"
                     "a\x32\x10" S "\x3a\x10" T)},
        [3] = {FRAME("\x12", "\x00", "")},
        [5] = {FRAME("\x1a", "\x08", "\x08\x01\x12\x04KWN1")},
        [6] = {FRAME("\x22", "\x08", "\x08\x02\x12\x04KWU1")},
        [7] = {FRAME("\x2a", "\x1a", "\x0a\x18\x08\x01\x12\x10" L "\x18\x05\x20\x07")},
        [10] = {FRAME("\xa2\x01", "\x0b", "\x08\x01\x10\xac\x02\x1a\x04KWJ1")},
        [11] = {FRAME("\xaa\x01", "\x0c", "\x08\x02\x10\x01\x1a\x04KWD1\x20\x01")},
        [12] = {FRAME("\xaa\x01", "\x04", "\x08\x01\x10\x01")},
        [8] = {FRAME("\x32", "\x20",
                     "\x0a\x1e\x08\x02\x12\x10" T "\x20\xff\xff\xff\xff\xff\xff\xff\xff\x7f")},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_assert(rows[i].len == 0 || kw_bytes_equal(encoded(&samples[i]), rows[i]), "row %zu", i);
    }
}

Test(replicator_frame, a_frame_that_is_cut_is_refused)
{
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        struct kw_bytes bytes = encoded(&samples[i]);

        for (size_t len = 0; len < bytes.len; len++) {
            assert_refused(KW_BYTES(bytes.data, len), "cut");
        }
    }
}

Test(replicator_frame, nothing_is_said_twice)
{
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        for (size_t j = 0; j < SAMPLE_COUNT; j++) {
            assert_refused(joined(encoded(&samples[i]), encoded(&samples[j])), "two frames");
        }
    }
}

struct row {
    const char *why;
    struct kw_bytes bytes;
};

static void assert_all_refused(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct kw_frame frame;
        struct kw_link_hello said;
        struct kw_error err = {0};
        struct kw_result result = kw_frame_decode(rows[i].bytes, arena, &frame, &said, &err);

        cr_assert_eq(result.reason, KW_E_ENCODING_INVALID, "row %zu", i);
        cr_assert_not_null(strstr(err.message, rows[i].why), "row %zu: %s", i, err.message);
    }
}

#define ASSERT_ALL_REFUSED(rows) assert_all_refused((rows), sizeof(rows) / sizeof((rows)[0]))

static const struct row written_otherwise[] = {
    /* a number padded, its default written out, twice, or after what follows it */
    {"otherwise", {FRAME("\x2a", "\x1b", "\x0a\x19\x08\x01\x12\x10" L "\x18\x85\x00\x20\x07")}},
    {"otherwise", {FRAME("\x2a", "\x1a", "\x0a\x18\x08\x01\x12\x10" L "\x18\x00\x20\x07")}},
    {"otherwise", {FRAME("\x2a", "\x1c", "\x0a\x1a\x08\x01\x12\x10" L "\x18\x05\x18\x05\x20\x07")}},
    {"otherwise", {FRAME("\x2a", "\x1a", "\x0a\x18\x08\x01\x12\x10" L "\x20\x07\x18\x05")}},
    /* an id twice, a lane twice, a length padded */
    {"otherwise", {FRAME("\x2a", "\x2a", "\x0a\x28\x08\x01\x12\x10" L "\x12\x10" L "\x18\x05")}},
    {"otherwise",
     {FRAME("\x2a", "\x30",
            "\x0a\x16\x08\x01\x12\x10" L "\x18\x05\x0a\x16\x08\x01\x12\x10" L "\x18\x05")}},
    {"otherwise", {FRAME("\x2a", "\x9a\x00", "\x0a\x18\x08\x01\x12\x10" L "\x18\x05\x20\x07")}},
    /* an empty name, a field of the wrong type */
    {"otherwise", {FRAME("\x1a", "\x0a", "\x08\x01\x12\x04KWN1\x12\x00")}},
    {"wire type", {FRAME("\x1a", "\x05", "\x08\x01\x10\x04\x01")}},
};

Test(replicator_frame, there_is_one_way_to_write_it)
{
    ASSERT_ALL_REFUSED(written_otherwise);
}

static const struct row unruly[] = {
    /* an owner that is none: 0, 3, -1 */
    {"owner 0", {FRAME("\x2a", "\x18", "\x0a\x16\x12\x10" L "\x18\x05\x20\x07")}},
    {"owner 3", {FRAME("\x2a", "\x1a", "\x0a\x18\x08\x03\x12\x10" L "\x18\x05\x20\x07")}},
    {"owner -1",
     {FRAME("\x2a", "\x23",
            "\x0a\x21\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x12\x10" L "\x18\x05\x20\x07")}},
    {"owner 0", {FRAME("\x1a", "\x06", "\x12\x04KWN1")}},
    {"owner 3", {FRAME("\x1a", "\x08", "\x08\x03\x12\x04KWN1")}},
    {"owner 3", {FRAME("\x22", "\x08", "\x08\x03\x12\x04KWU1")}},
    {"owner 3", {FRAME("\x12", "\x18", "\x0a\x16\x08\x03\x12\x10" L "\x18\x05")}},
    /* a lane whose id is missing, short, long, zero */
    {"an id of 0", {FRAME("\x2a", "\x06", "\x0a\x04\x08\x01\x18\x05")}},
    {"an id of 1 ", {FRAME("\x2a", "\x09", "\x0a\x07\x08\x01\x12\x01l\x18\x05")}},
    {"an id of 17", {FRAME("\x2a", "\x19", "\x0a\x17\x08\x01\x12\x11" L "l\x18\x05")}},
    {"without an id", {FRAME("\x2a", "\x18", "\x0a\x16\x08\x01\x12\x10" Z "\x18\x05")}},
    /* numbers that no database holds */
    {"no database",
     {FRAME("\x2a", "\x21",
            "\x0a\x1f\x08\x01\x12\x10" L "\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")}},
    {"no database",
     {FRAME("\x2a", "\x21",
            "\x0a\x1f\x08\x01\x12\x10" L "\x20\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")}},
    /* no lane, no record */
    {"no lane", {FRAME("\x2a", "\x00", "")}},
    {"no lane", {FRAME("\x32", "\x00", "")}},
    {"empty or too long", {FRAME("\x1a", "\x02", "\x08\x01")}},
    {"empty or too long", {FRAME("\x22", "\x02", "\x08\x01")}},
};

Test(replicator_frame, what_breaks_a_rule_is_refused)
{
    ASSERT_ALL_REFUSED(unruly);
}

#define LONG "0123456789abcdef0123456789abcdef"

static const struct row odd_hellos[] = {
    /* no version, none that is lowest, a lowest above the highest */
    {"no version",
     {FRAME("\x0a", "\x2d",
            "\x10\x01\x1a\x10" M "\x22\x02"
            "eu\x2a\x01"
            "a\x32\x10" S)}},
    {"no version",
     {FRAME("\x0a", "\x2d",
            "\x08\x01\x1a\x10" M "\x22\x02"
            "eu\x2a\x01"
            "a\x32\x10" S)}},
    {"no version",
     {FRAME("\x0a", "\x2f",
            "\x08\x01\x10\x02\x1a\x10" M "\x22\x02"
            "eu\x2a\x01"
            "a\x32\x10" S)}},
    /* no mesh, a short one, one that is zero */
    {"an id of 0",
     {FRAME("\x0a", "\x1d",
            "\x08\x01\x10\x01\x22\x02"
            "eu\x2a\x01"
            "a\x32\x10" S)}},
    {"an id of 1 ",
     {FRAME("\x0a", "\x20",
            "\x08\x01\x10\x01\x1a\x01m\x22\x02"
            "eu\x2a\x01"
            "a\x32\x10" S)}},
    {"no mesh",
     {FRAME("\x0a", "\x2f",
            "\x08\x01\x10\x01\x1a\x10" Z "\x22\x02"
            "eu\x2a\x01"
            "a\x32\x10" S)}},
    /* no region, no cell, a name too long, a name that is none */
    {"without a name",
     {FRAME("\x0a", "\x2b",
            "\x08\x01\x10\x01\x1a\x10" M "\x2a\x01"
            "a\x32\x10" S)}},
    {"without a name",
     {FRAME("\x0a", "\x2c",
            "\x08\x01\x10\x01\x1a\x10" M "\x22\x02"
            "eu\x32\x10" S)}},
    {"a name of 33",
     {FRAME("\x0a", "\x4e",
            "\x08\x01\x10\x01\x1a\x10" M "\x22\x21" LONG "x\x2a\x01"
            "a\x32\x10" S)}},
    {"a name of 33",
     {FRAME("\x0a", "\x4f",
            "\x08\x01\x10\x01\x1a\x10" M "\x22\x02"
            "eu\x2a\x21" LONG "x\x32\x10" S)}},
    {"not UTF-8",
     {FRAME("\x0a", "\x2f",
            "\x08\x01\x10\x01\x1a\x10" M "\x22\x02"
            "e\xff\x2a\x01"
            "a\x32\x10" S)}},
    /* nobody, a store with a short id, one that is zero */
    {"of nobody",
     {FRAME("\x0a", "\x1d",
            "\x08\x01\x10\x01\x1a\x10" M "\x22\x02"
            "eu\x2a\x01"
            "a")}},
    {"an id of 1 ",
     {FRAME("\x0a", "\x20",
            "\x08\x01\x10\x01\x1a\x10" M "\x22\x02"
            "eu\x2a\x01"
            "a\x32\x01s")}},
    {"a store without",
     {FRAME("\x0a", "\x41",
            "\x08\x01\x10\x01\x1a\x10" M "\x22\x02"
            "eu\x2a\x01"
            "a\x32\x10" S "\x3a\x10" Z)}},
};

Test(replicator_frame, a_hello_says_who_and_where_and_how)
{
    static const struct kw_bytes good = {FRAME("\x0a", "\x4d",
                                               "\x08\x01\x10\x01\x1a\x10" M "\x22\x20" LONG
                                               "\x2a\x01"
                                               "a\x32\x10" S)};
    struct kw_frame frame;

    cr_assert_eq(decoded(good, &frame), KW_E_NONE);
    ASSERT_ALL_REFUSED(odd_hellos);
}

/* --- limits --- */

static struct kw_bytes long_record(size_t len)
{
    return KW_BYTES(kw_arena_alloc(arena, len), len);
}

static struct kw_frame of_lanes(size_t count)
{
    struct kw_reach *reaches = kw_arena_alloc(arena, count * sizeof(*reaches));

    REQUIRE(reaches != NULL, "memory");
    for (size_t i = 0; i < count; i++) {
        reaches[i] = (struct kw_reach){KW_OWNER_ORCHESTRATOR, {L}, {INT64_MAX, INT64_MAX}};
    }
    return (struct kw_frame){.type = KW_FRAME_REACH, .reaches = reaches, .reach_count = count};
}

Test(replicator_frame, the_largest_of_every_type_fit)
{
    struct kw_bytes record = long_record(KW_BATCH_LEN_MAX);
    const struct kw_frame largest[] = {
        of_lanes(KW_LANES_MAX),
        {.type = KW_FRAME_BATCH, .record = record},
        {.type = KW_FRAME_URGENT, .record = record},
    };

    for (size_t i = 0; i < sizeof(largest) / sizeof(largest[0]); i++) {
        struct kw_arena *writing = kw_arena_new(KW_LINK_FRAME_MEMORY_MAX);
        struct kw_arena *reading = kw_arena_new(KW_LINK_FRAME_MEMORY_MAX);
        struct kw_link_hello said;
        struct kw_bytes bytes;
        struct kw_frame frame;

        MUST(kw_frame_encode(&largest[i], NULL, writing, &bytes, err));
        cr_assert_leq(bytes.len, KW_LINK_FRAME_LEN_MAX);
        MUST(kw_frame_decode(bytes, reading, &frame, &said, err));
        assert_same(&frame, &largest[i]);
        kw_arena_free(reading);
        kw_arena_free(writing);
    }
}

/* A field's key, and its length in three bytes. */
static void put_key(uint8_t *at, uint8_t key, size_t len)
{
    at[0] = key;
    at[1] = (uint8_t)(len | 0x80);
    at[2] = (uint8_t)(len >> 7 | 0x80);
    at[3] = (uint8_t)(len >> 14);
}

/* A BATCH with a record of so many bytes, however many. */
static struct kw_bytes batch_of(size_t len)
{
    struct kw_bytes bytes = long_record(len + 10);
    uint8_t *data = (uint8_t *)(uintptr_t)bytes.data;

    put_key(data, 0x1a, len + 6);
    kw_copy(data + 4, "\x08\x01", 2);
    put_key(data + 6, 0x12, len);
    return bytes;
}

Test(replicator_frame, one_byte_and_one_lane_more_are_refused)
{
    struct kw_frame frame;
    struct kw_bytes most = encoded(&(struct kw_frame){.type = KW_FRAME_REACH,
                                                      .reaches = of_lanes(KW_LANES_MAX).reaches,
                                                      .reach_count = KW_LANES_MAX});
    struct kw_bytes lane = KW_BYTES(most.data + 4, (most.len - 4) / KW_LANES_MAX);
    struct kw_bytes more = joined(most, lane);

    cr_assert_eq(decoded(batch_of(KW_BATCH_LEN_MAX), &frame), KW_E_NONE);
    assert_refused(batch_of(KW_BATCH_LEN_MAX + 1), "a record too long");
    cr_assert_eq(decoded(batch_of(KW_LINK_FRAME_LEN_MAX), &frame), KW_E_BODY_TOO_LARGE);
    put_key((uint8_t *)(uintptr_t)more.data, 0x12, more.len - 4);
    assert_refused(more, "a lane too many");
}

Test(replicator_frame, what_would_be_refused_is_not_written)
{
    static const struct kw_reach odd[] = {
        {.owner = KW_OWNER_COUNT_, .lane = {L}},
        {.lane = KW_ID_NONE},
        {.lane = {L}, .extent = {.seq = 1ULL << 63}},
        {.lane = {L}, .extent = {.closed = 1ULL << 63}},
    };
    const struct kw_bytes record = {(const uint8_t *)"KWN1", 4};
    const struct kw_frame frames[] = {
        {.type = KW_FRAME_END_},
        {.type = KW_FRAME_HELLO, .stores = {{S}}},
        {.type = KW_FRAME_HELLO, .mesh = {M}},
        {.type = KW_FRAME_BATCH},
        {.type = KW_FRAME_BATCH, .record = record, .owner = KW_OWNER_COUNT_},
        {.type = KW_FRAME_URGENT, .record = long_record(KW_BATCH_LEN_MAX + 1)},
        {.type = KW_FRAME_VOUCHER},
        {.type = KW_FRAME_VOUCHER, .record = long_record(KW_VOUCHER_LEN_MAX + 1)},
        {.type = KW_FRAME_VOUCHER, .record = record, .owner = KW_OWNER_COUNT_},
        {.type = KW_FRAME_QUESTION, .record = record},
        {.type = KW_FRAME_QUESTION, .number = 1},
        {.type = KW_FRAME_QUESTION, .number = 1, .record = long_record(KW_QUESTION_LEN_MAX + 1)},
        {.type = KW_FRAME_QUESTION, .number = 1, .record = record, .owner = KW_OWNER_COUNT_},
        {.type = KW_FRAME_ANSWER, .record = record},
        {.type = KW_FRAME_ANSWER, .number = 1, .more = true},
        {.type = KW_FRAME_ANSWER, .number = 1, .record = long_record(KW_FEED_PIECE_LEN_MAX + 1)},
        of_lanes(KW_LANES_MAX + 1),
        {.type = KW_FRAME_ACK},
        {.type = KW_FRAME_ACK, .reaches = lanes, .reach_count = 2},
        {.type = KW_FRAME_NEED},
        {.type = KW_FRAME_NEED, .reaches = &odd[0], .reach_count = 1},
        {.type = KW_FRAME_NEED, .reaches = &odd[1], .reach_count = 1},
        {.type = KW_FRAME_NEED, .reaches = &odd[2], .reach_count = 1},
        {.type = KW_FRAME_NEED, .reaches = &odd[3], .reach_count = 1},
    };
    struct kw_bytes bytes;

    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        cr_assert_eq(kw_frame_encode(&frames[i], &hello, arena, &bytes, NULL).reason,
                     KW_E_ARGUMENT_INVALID, "frame %zu", i);
    }
}

Test(replicator_frame, a_hello_that_would_be_refused_is_not_written)
{
    struct kw_link_hello hellos[] = {
        {.place = {"", "a"}, .version = 1, .version_lowest = 1},
        {.place = {"eu", ""}, .version = 1, .version_lowest = 1},
        {.place = {"e\xff", "a"}, .version = 1, .version_lowest = 1},
        {.place = {"eu", "a"}, .version = 1, .version_lowest = 0},
        {.place = {"eu", "a"}, .version = 1, .version_lowest = 2},
        {.place = {"eu", "a"}, .version = 1, .version_lowest = 1},
    };
    struct kw_bytes bytes;

    memset(hellos[5].place.region, 'r', KW_PLACE_NAME_SIZE); /* without its end */
    for (size_t i = 0; i < sizeof(hellos) / sizeof(hellos[0]); i++) {
        cr_assert_eq(kw_frame_encode(&samples[0], &hellos[i], arena, &bytes, NULL).reason,
                     KW_E_ARGUMENT_INVALID, "hello %zu", i);
    }
}

/* However little memory there is: a refusal, and at some point enough. */
Test(replicator_frame, too_little_memory_is_a_refusal)
{
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        bool written = false;
        bool read = false;

        for (size_t budget = 0; !written || !read; budget += 8) {
            struct kw_arena *little = kw_arena_new(budget);
            struct kw_link_hello said;
            struct kw_bytes bytes;
            struct kw_frame frame;

            REQUIRE(little != NULL && budget < 4096, "it fits in 4096 bytes");
            written = kw_ok(kw_frame_encode(&samples[i], &hello, little, &bytes, NULL));
            kw_arena_free(little);
            little = kw_arena_new(budget);
            read = kw_ok(kw_frame_decode(encoded(&samples[i]), little, &frame, &said, NULL));
            kw_arena_free(little);
        }
    }
}

/* --- other releases --- */

Test(replicator_frame, a_frame_of_a_later_release_is_of_a_type_nobody_knows)
{
    static const struct kw_bytes rows[] = {
        {FRAME("\x42", "\x04", "\x0a\x02xy")}, /* frame 8 */
        {FRAME("\x48", "\x01", "")},           /* frame 9, a number */
        {FRAME("\x42", "\x00", "\x4a\x01x")},  /* both */
    };
    struct kw_frame frame;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_assert_eq(decoded(rows[i], &frame), KW_E_NONE, "row %zu", i);
        cr_assert_eq(frame.type, KW_FRAME_END_);
    }
}

Test(replicator_frame, what_a_later_release_adds_to_a_frame_is_passed_over)
{
    static const struct kw_bytes rows[] = {
        {FRAME("\x1a", "\x0b", "\x08\x01\x12\x04KWN1\x1a\x01x")}, /* BATCH has a field 3 */
        {FRAME("\x1a", "\x08", "\x08\x01\x12\x04KWN1\x78\x01")},  /* a field 15 beside it */
        {FRAME("\x2a", "\x1c", "\x0a\x18\x08\x01\x12\x10" L "\x18\x05\x20\x07\x10\x01")},
        {FRAME("\x2a", "\x1c", "\x0a\x1a\x08\x01\x12\x10" L "\x18\x05\x20\x07\x28\x01")},
    };
    static const struct kw_bytes before[] = {
        {FRAME("\x1a", "\x0b", "\x1a\x01x\x08\x01\x12\x04KWN1")},
        {FRAME("\x78", "\x01", "\x1a\x08\x08\x01\x12\x04KWN1")},
    };
    struct kw_frame frame;

    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(decoded(rows[i], &frame), KW_E_NONE, "row %zu", i);
        assert_same(&frame, i < 2 ? &samples[5] : &samples[7]);
    }
    assert_refused(before[0], "unknown fields are behind those that are known");
    assert_refused(before[1], "beside a frame, too");
}

Test(replicator_frame, both_speak_the_newest_version_that_both_know)
{
    static const struct {
        uint32_t ours[2], theirs[2], both;
    } rows[] = {
        {{1, 1}, {1, 1}, 1}, {{2, 1}, {1, 1}, 1}, {{2, 1}, {2, 1}, 2}, {{2, 1}, {3, 2}, 2},
        {{1, 1}, {3, 2}, 0}, {{3, 2}, {1, 1}, 0}, {{3, 3}, {3, 1}, 3},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kw_link_hello ours = {.version = rows[i].ours[0], .version_lowest = rows[i].ours[1]};
        struct kw_link_hello theirs = {.version = rows[i].theirs[0],
                                       .version_lowest = rows[i].theirs[1]};

        cr_assert_eq(kw_link_version(&ours, &theirs), rows[i].both, "row %zu", i);
    }
}

/* What owners answer is a verdict of theirs, number by number and name by name. */
Test(replicator_frame, verdicts_have_one_number)
{
    const ProtobufCEnumDescriptor *wire = &keyward__internal__v1__feed_verdict__descriptor;

    cr_assert_eq(wire->n_values, KW_LANE_VERDICT_END_);
    for (int i = 1; i < KW_LANE_VERDICT_END_; i++) {
        const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(wire, i);

        cr_assert_not_null(value);
        cr_assert_eq(strncmp(value->name, "FEED_VERDICT_", 13), 0);
        cr_assert_eq(strcasecmp(value->name + 13, kw_lane_verdict_name((enum kw_lane_verdict)i)), 0,
                     "%s", value->name);
    }
}

#define LIMIT(name)                                                                                \
    {                                                                                              \
#name, name                                                                                \
    }

Test(replicator_frame, the_page_has_the_numbers_there_are)
{
    static const struct {
        const char *name;
        unsigned value;
    } limits[] = {
        LIMIT(KW_LINK_BATCHES_MAX), LIMIT(KW_LINK_RESEND_MS), LIMIT(KW_LINK_SILENT_MS),
        LIMIT(KW_HEARTBEAT_MS),     LIMIT(KW_LINK_TICK_MS),   LIMIT(KW_REACH_MS),
        LIMIT(KW_LINK_NEEDS_PER_S), LIMIT(KW_RELAY_WAIT_MS),  LIMIT(KW_RELAY_KEEP_MS),
        LIMIT(KW_RELAY_PROMISE_MS), LIMIT(KW_PEERS_MAX),      LIMIT(KW_LANES_MAX),
        LIMIT(KW_BATCH_LEN_MAX),
    };
    KW_SCOPED(kw_buf_done) struct kw_buf page = {0};

    MUST(kw_file_read(KW_SOURCE_DIR "/docs/replication.md", 1U << 20, &page, err));
    MUST(kw_buf_append(&page, KW_BYTES("", 1), err));
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        const char *row = kw_arena_printf(arena, "| `%s` | %u | ", limits[i].name, limits[i].value);

        cr_expect_not_null(strstr((const char *)page.data, row), "the page lacks: %s", row);
    }
}
