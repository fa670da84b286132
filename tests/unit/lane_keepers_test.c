/* Keepers of a log: in every mesh each cell's are where they should be, and everybody says the same. */
#include "common/feed/keepers.h"
#include "common/feed/log_copy.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum {
    CELLS_MAX = 16,
};

static struct kw_keeper_place places[CELLS_MAX];
static size_t count;

/* "eu/a eu/b us/a" */
static void mesh(const char *text)
{
    static char copy[128];
    char *rest = copy;

    (void)snprintf(copy, sizeof(copy), "%s", text);
    count = 0;
    for (char *one = strtok_r(rest, " ", &rest); one != NULL; one = strtok_r(NULL, " ", &rest)) {
        char *slash = strchr(one, '/');

        *slash = '\0';
        places[count++] = (struct kw_keeper_place){kw_bytes_str(one), kw_bytes_str(slash + 1)};
    }
}

static void expect(const char *region, const char *cell, enum kw_keeper keeper,
                   const char *expected)
{
    const struct kw_keeper_place origin = {kw_bytes_str(region), kw_bytes_str(cell)};
    const struct kw_keeper_place *found = kw_keeper_of(places, count, &origin, keeper);
    char text[32] = "nobody";

    if (found != NULL) {
        (void)snprintf(text, sizeof(text), "%.*s/%.*s", (int)found->region.len, found->region.data,
                       (int)found->cell.len, found->cell.data);
    }
    cr_assert_str_eq(text, expected, "%s of %s/%s is %s", kw_keeper_name(keeper), region, cell,
                     text);
}

Test(keepers, the_next_by_name)
{
    mesh("us/b eu/a us/a eu/c eu/b us/c");
    expect("eu", "a", KW_KEEPER_NEAR, "eu/b");
    expect("eu", "b", KW_KEEPER_NEAR, "eu/c");
    expect("eu", "c", KW_KEEPER_NEAR, "eu/a");
    expect("eu", "a", KW_KEEPER_FAR, "us/a");
    expect("us", "c", KW_KEEPER_FAR, "eu/c");
}

Test(keepers, of_three_regions_the_next_by_name)
{
    mesh("eu/a eu/b ap/a us/a us/b");
    expect("eu", "a", KW_KEEPER_FAR, "us/a");
    expect("us", "a", KW_KEEPER_FAR, "ap/a");
    expect("ap", "a", KW_KEEPER_FAR, "eu/a");
    expect("ap", "a", KW_KEEPER_NEAR, "nobody");
    expect("us", "b", KW_KEEPER_FAR, "eu/b"); /* ap, which is before, has no b */
}

Test(keepers, where_there_is_none_nobody_is)
{
    mesh("eu/a");
    expect("eu", "a", KW_KEEPER_NEAR, "nobody");
    expect("eu", "a", KW_KEEPER_FAR, "nobody");
    mesh("eu/a us/b");
    expect("eu", "a", KW_KEEPER_FAR, "nobody"); /* they are not linked */
}

Test(keepers, who_is_lost_has_its_next_one_after_it)
{
    mesh("eu/a eu/c us/a");
    expect("eu", "b", KW_KEEPER_NEAR, "eu/c"); /* b is no member any more */
    expect("eu", "a", KW_KEEPER_NEAR, "eu/c");
}

/* Whoever is asked, in whichever order it has heard of them. */
Test(keepers, the_order_of_the_list_is_nothing)
{
    mesh("eu/a eu/b eu/c us/a us/b us/c");
    for (size_t turn = 0; turn < count; turn++) {
        struct kw_keeper_place first = places[0];

        memmove(places, places + 1, (count - 1) * sizeof(places[0]));
        places[count - 1] = first;
        expect("eu", "b", KW_KEEPER_NEAR, "eu/c");
        expect("us", "c", KW_KEEPER_NEAR, "us/a");
        expect("us", "b", KW_KEEPER_FAR, "eu/b");
    }
}

Test(log_copy, a_place_is_read_as_written)
{
    const struct kw_log_ask ask = {.name = {1, [31] = 2}, .number = 77, .keeper = {{3}}};
    uint8_t key[KW_LOG_KEY_LEN];
    struct kw_log_ask read;

    kw_log_key_write(&ask, key);
    cr_assert(kw_ok(kw_log_key_read(KW_BYTES_OF(key), &read, NULL)));
    cr_assert(kw_bytes_equal(KW_BYTES_OF(read.name), KW_BYTES_OF(ask.name)));
    cr_assert_eq(read.number, 77);
    cr_assert(kw_id_equal(read.keeper, ask.keeper));
    cr_assert_not(kw_log_from_start(&ask));
    cr_assert(kw_log_from_start(&(struct kw_log_ask){.number = 1}));
    cr_assert_eq(kw_log_key_read(KW_BYTES(key, KW_LOG_KEY_LEN - 1), &read, NULL).reason,
                 KW_E_ENCODING_INVALID);
    key[KW_LOG_NAME_LEN] = 0x80; /* no number of a database */
    cr_assert_eq(kw_log_key_read(KW_BYTES_OF(key), &read, NULL).reason, KW_E_ENCODING_INVALID);
}

Test(log_copy, a_chain_is_read_as_written)
{
    const struct kw_log_chain chain = {.name = {9}, .end = 5};
    uint8_t item[KW_LOG_CHAIN_LEN];
    struct kw_log_chain read;

    kw_log_chain_write(&chain, item);
    cr_assert(kw_ok(kw_log_chain_read(KW_BYTES_OF(item), &read, NULL)));
    cr_assert_eq(read.end, 5);
    cr_assert_eq(read.name[0], 9);
    cr_assert_eq(kw_log_chain_read(KW_BYTES(item, 8), &read, NULL).reason, KW_E_ENCODING_INVALID);
}
