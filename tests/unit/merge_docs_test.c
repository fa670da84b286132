/* docs/replication.md shows every field of every table with the rule by which it merges, and no
 * other. */
#include "services/authz/record_kinds.h"
#include "services/orchestrator/record_kinds.h"
#include "tests/support/merge_values.h"
#include "tests/support/must.h"

#include <stdio.h>

#define PAGE KW_SOURCE_DIR "/docs/replication.md"

static char *page(void)
{
    static char text[64 * 1024];
    FILE *file = fopen(PAGE, "r");
    size_t len;

    REQUIRE(file != NULL, "no %s", PAGE);
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    (void)fclose(file);
    return text;
}

/* The line for the fields of a kind that merge by one rule; NULL: there are none. */
static char *line_of(const struct kw_record_kind *kind, enum kw_rule rule)
{
    const char *names = "";

    for (size_t i = 0; i < kind->field_end; i++) {
        if (kind->fields[i].name != NULL && kind->fields[i].rule == rule) {
            names = kw_arena_printf(values_arena(), "%s%s%s", names, *names != '\0' ? ", " : "",
                                    kind->fields[i].name);
            REQUIRE(names != NULL, "no memory");
        }
    }
    if (*names == '\0') {
        return NULL;
    }
    return kw_arena_printf(values_arena(), "| %s | %u | %s | %s |\n", kind->name, kind->table,
                           kw_rule_name(rule), names);
}

/* How many lines a kind has; all of them must be in the page. */
static size_t lines_in(const char *text, const struct kw_record_kind *kind)
{
    size_t count = 0;

    for (int rule = 1; rule < KW_RULE_END_; rule++) {
        const char *line = line_of(kind, (enum kw_rule)rule);

        if (line != NULL) {
            cr_expect(strstr(text, line) != NULL, "docs/replication.md lacks: %s", line);
            count++;
        }
    }
    return count;
}

static size_t lines_of_section(const char *text)
{
    const char *at = strstr(text, "| table | number | rule | fields |\n");
    size_t count = 0;

    REQUIRE(at != NULL, "no table of fields");
    for (at = strchr(at, '\n') + 1; *at == '|'; at = strchr(at, '\n') + 1) {
        count++;
    }
    return count - 1; /* without the rule below the heading */
}

Test(merge_docs, the_page_shows_every_field_of_every_table_and_no_other)
{
    const char *text = page();
    size_t lines = 0;

    for (size_t i = 0; i < kw_authz_record_kind_count; i++) {
        lines += lines_in(text, kw_authz_record_kinds[i]);
    }
    for (size_t i = 1; i < kw_orch_record_kind_count; i++) { /* both begin with the stores */
        lines += lines_in(text, kw_orch_record_kinds[i]);
    }
    cr_assert_eq(kw_orch_record_kinds[0], kw_authz_record_kinds[0]);
    cr_assert_eq(lines_of_section(text), lines);
}

static void expect_room(const struct kw_record_kind *kind)
{
    size_t row = KW_RECORD_KEY_LEN_MAX + 16;
    size_t large = 0;

    for (uint8_t number = 1; number <= KW_RECORD_FIELDS_MAX; number++) {
        size_t most = kw_record_kind_field_max(kind, number);

        row += 6 + most;
        large += most > KW_RECORD_FIELD_LEN_MAX;
    }
    cr_assert_leq(large, KW_RECORD_LARGE_MAX, "%s", kind->name);
    cr_assert_leq(row, KW_ROW_LEN_MAX, "%s", kind->name);
}

Test(merge_docs, whatever_is_merged_into_a_row_it_fits_into_an_answer)
{
    for (size_t i = 0; i < kw_authz_record_kind_count; i++) {
        expect_room(kw_authz_record_kinds[i]);
    }
    for (size_t i = 0; i < kw_orch_record_kind_count; i++) {
        expect_room(kw_orch_record_kinds[i]);
    }
}

Test(merge_docs, no_two_tables_have_one_number)
{
    for (size_t i = 0; i < kw_authz_record_kind_count; i++) {
        for (size_t j = 1; j < kw_orch_record_kind_count; j++) {
            cr_assert_neq(kw_authz_record_kinds[i]->table, kw_orch_record_kinds[j]->table);
        }
    }
}
