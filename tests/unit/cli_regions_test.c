/* The lag matrix: read from pages of metrics, judged, shown. */
#include "cli/metrics_page.h"
#include "cli/regions.h"
#include "tests/support/must.h"

#include <stdio.h>
#include <string.h>

#define AGE "keyward_feed_promise_age_milliseconds"

/* --- a page --- */

Test(cli_regions, a_page_has_a_value_for_each_label)
{
    const char *page = "HTTP/1.0 200 OK\r\n\r\n# TYPE " AGE " gauge\n" AGE
                       "{origin=\"r1/b\"} 41\n" AGE "{origin=\"r1/bb\"} 7\n";
    int64_t value = 0;

    cr_assert(kw_metrics_page_find(page, KW_M_FEED_PROMISE_AGE, "r1/b", &value));
    cr_assert(eq(i64, value, 41));
    cr_assert(not(kw_metrics_page_find(page, KW_M_FEED_PROMISE_AGE, "r1/c", &value)));
    cr_assert(eq(i64, value, 41));
}

Test(cli_regions, a_name_within_a_line_is_no_line)
{
    int64_t value = 0;

    cr_assert(not(kw_metrics_page_find("# HELP x\nx" AGE "{origin=\"r1/b\"} 41\n",
                                       KW_M_FEED_PROMISE_AGE, "r1/b", &value)));
}

Test(cli_regions, nobody_at_the_port_is_told)
{
    KW_SCOPED(kw_buf_done) struct kw_buf page = {0};
    struct kw_error err;

    cr_assert(eq(int, kw_metrics_page_read(1, &page, &err).reason, KW_E_PEER_UNAVAILABLE));
}

/* --- the matrix --- */

/* Two cells that know one another. */
static struct kw_regions pair(void)
{
    struct kw_regions regions = {.count = 2, .names = {"r1/a", "r2/a"}};

    memset(regions.age_ms, 0xff, sizeof(regions.age_ms));
    regions.age_ms[0][1][0] = 10;
    regions.age_ms[0][1][1] = KW_REGIONS_LATE_MS;
    regions.age_ms[1][0][0] = 30;
    regions.age_ms[1][0][1] = 20;
    return regions;
}

Test(cli_regions, all_known_and_in_time_is_well)
{
    struct kw_regions regions = pair();

    cr_assert(kw_regions_well(&regions));
    regions.age_ms[0][1][1]++;
    cr_expect(not(kw_regions_well(&regions)), "late");
    regions = pair();
    regions.age_ms[1][0][0] = KW_REGIONS_UNKNOWN;
    cr_expect(not(kw_regions_well(&regions)), "one owner's is unknown");
}

static const char *shown(const struct kw_regions *regions, enum kw_output_form form)
{
    static char text[4096];
    FILE *out = fmemopen(text, sizeof(text), "w");

    REQUIRE(out != NULL, "no memory");
    MUST(kw_regions_show(regions, form, out, err));
    (void)fclose(out);
    return text;
}

Test(cli_regions, the_table_shows_the_older_of_both_owners)
{
    struct kw_regions regions = pair();
    const char *text = shown(&regions, KW_OUTPUT_TABLE);

    cr_expect(strstr(text, "r1/a              -      1000 ms") != NULL, "%s", text);
    cr_expect(strstr(text, "r2/a              30 ms  -") != NULL, "%s", text);
    regions.age_ms[1][0][0] = KW_REGIONS_UNKNOWN;
    cr_expect(strstr(shown(&regions, KW_OUTPUT_TABLE), "unknown") != NULL, "%s", text);
}

Test(cli_regions, json_has_both_and_leaves_out_what_is_unknown)
{
    struct kw_regions regions = pair();

    cr_expect(strstr(shown(&regions, KW_OUTPUT_JSON),
                     "{\"origin\":\"r1/a\",\"authzMs\":30,\"orchestratorMs\":20}") != NULL,
              "%s", shown(&regions, KW_OUTPUT_JSON));
    regions.age_ms[1][0][0] = KW_REGIONS_UNKNOWN;
    cr_expect(strstr(shown(&regions, KW_OUTPUT_JSON),
                     "{\"origin\":\"r1/a\",\"orchestratorMs\":20}") != NULL,
              "%s", shown(&regions, KW_OUTPUT_JSON));
}

Test(cli_regions, a_directory_without_cells_is_no_mesh)
{
    struct kw_mesh_dir dir;
    struct kw_regions regions;
    struct kw_error err = {0};

    MUST(kw_mesh_dir_make(NULL, &dir, err));
    cr_expect(eq(int, kw_regions_read(&dir, &regions, &err).reason, KW_E_CONFIG_INVALID));
    kw_mesh_dir_remove(dir.path);
}

Test(cli_regions, a_cell_whose_owners_do_not_run_knows_nothing)
{
    struct kw_mesh_dir dir;
    struct kw_mesh_layout layout;
    struct kw_regions regions;

    MUST(kw_mesh_dir_make(NULL, &dir, err));
    MUST(kw_mesh_layout_init(&dir, 2, 1, &layout, err));
    MUST(kw_mesh_layout_make(&layout, err));
    MUST(kw_regions_read(&dir, &regions, err));
    cr_expect(eq(sz, regions.count, 2));
    cr_expect(eq(str, regions.names[1], "r2/a"));
    cr_expect(eq(i64, regions.age_ms[0][1][0], KW_REGIONS_UNKNOWN));
    kw_mesh_dir_remove(dir.path);
}
