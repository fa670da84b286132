/* Whether all cells hold the same: judged, shown. */
#include "cli/replication.h"
#include "tests/support/must.h"

#include <stdio.h>
#include <string.h>

static struct kw_replication alike(void)
{
    struct kw_replication replication = {.count = 3, .names = {"r1/a", "r1/b", "r2/a"}};

    for (size_t i = 0; i < replication.count; i++) {
        replication.held[i][0] = (struct kw_replication_held){true, 0xabc, 1};
        replication.held[i][1] = (struct kw_replication_held){true, 0xdef, 2};
    }
    return replication;
}

Test(cli_replication, the_same_everywhere_is_equal)
{
    struct kw_replication replication = alike();

    cr_assert(eq(int, kw_replication_judge(&replication), KW_REPLICATION_EQUAL));
    replication.count = 1;
    cr_assert(eq(int, kw_replication_judge(&replication), KW_REPLICATION_EQUAL));
}

Test(cli_replication, who_was_told_other_things_is_on_the_way)
{
    struct kw_replication replication = alike();

    replication.held[2][1] = (struct kw_replication_held){true, 0xddd, 7};
    cr_assert(eq(int, kw_replication_judge(&replication), KW_REPLICATION_ON_THE_WAY));
    replication = alike();
    for (size_t i = 0; i < replication.count; i++) {
        replication.held[i][0].lanes = 0;
    }
    cr_assert(eq(int, kw_replication_judge(&replication), KW_REPLICATION_ON_THE_WAY));
    replication = alike();
    replication.count = 1;
    replication.held[0][0].lanes = 0;
    cr_assert(eq(int, kw_replication_judge(&replication), KW_REPLICATION_ON_THE_WAY));
}

Test(cli_replication, other_rows_where_lanes_are_the_same_are_a_fault)
{
    struct kw_replication replication = alike();

    replication.held[1][0].rows++;
    replication.held[2][1].lanes++;
    cr_assert(eq(int, kw_replication_judge(&replication), KW_REPLICATION_DIFFERENT));
    replication.held[2][1].known = false;
    cr_assert(eq(int, kw_replication_judge(&replication), KW_REPLICATION_DIFFERENT));
}

Test(cli_replication, who_does_not_answer_is_not_known_to_be_equal)
{
    struct kw_replication replication = alike();

    replication.held[0][1] = (struct kw_replication_held){0};
    cr_assert(eq(int, kw_replication_judge(&replication), KW_REPLICATION_UNKNOWN));
}

static const char *shown(const struct kw_replication *replication, enum kw_output_form form)
{
    static char text[4096];
    FILE *out = fmemopen(text, sizeof(text), "w");

    REQUIRE(out != NULL, "no memory");
    MUST(kw_replication_show(replication, form, out, err));
    (void)fclose(out);
    return text;
}

Test(cli_replication, it_shows_each_cell_and_the_verdict)
{
    struct kw_replication replication = alike();
    const char *text;

    replication.held[1][1] = (struct kw_replication_held){0};
    replication.held[2][0].lanes = 0;
    text = shown(&replication, KW_OUTPUT_TABLE);
    cr_assert_not_null(strstr(text, "000000000abc"));
    cr_assert_not_null(strstr(text, "not yet"));
    cr_assert_not_null(strstr(text, "\nUNKNOWN\n"));
    text = shown(&replication, KW_OUTPUT_JSON);
    cr_assert_not_null(strstr(text, "\"verdict\":\"UNKNOWN\""));
    cr_assert_not_null(strstr(text, "\"orchestrator\":{\"lanes\":\"unknown\""));
}
