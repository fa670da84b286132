/* Tables by libsmartcols. */
#include "cli/table.h"

#include <libsmartcols/libsmartcols.h>

static struct kw_result columns_add(struct libscols_table *scols, const char *const *headings,
                                    struct kw_error *err)
{
    static const char *const pair[] = {"field", "value", NULL};

    for (const char *const *name = headings != NULL ? headings : pair; *name != NULL; name++) {
        KW_ENSURE(scols_table_new_column(scols, *name, 0, 0) != NULL, err, MEMORY, "table");
    }
    return KW_OK;
}

struct kw_result kw_table_init(struct kw_table *table, const char *const *headings,
                               struct kw_error *err)
{
    KW_SCOPED(kw_table_done) struct kw_table t = {scols_new_table()};

    KW_ENSURE(t.scols != NULL, err, MEMORY, "table");
    KW_TRY(columns_add(t.scols, headings, err));
    (void)scols_table_enable_noheadings(t.scols, headings == NULL);
    (void)scols_table_enable_nowrap(t.scols, 1);
    (void)scols_table_enable_noencoding(t.scols, 1);
    (void)scols_table_set_column_separator(t.scols, "  ");
    *table = t;
    t.scols = NULL;
    return KW_OK;
}

struct kw_result kw_table_add(struct kw_table *table, const char *const *cells, size_t count,
                              struct kw_error *err)
{
    struct libscols_line *line = scols_table_new_line(table->scols, NULL);

    KW_ENSURE(line != NULL, err, MEMORY, "table");
    for (size_t i = 0; i < count; i++) {
        KW_ENSURE(scols_line_set_data(line, i, cells[i]) == 0, err, MEMORY, "table");
    }
    return KW_OK;
}

struct kw_result kw_table_print(struct kw_table *table, FILE *out, struct kw_error *err)
{
    (void)scols_table_set_stream(table->scols, out);
    KW_ENSURE(scols_print_table(table->scols) == 0, err, SYSTEM, "the table cannot be written");
    return KW_OK;
}

void kw_table_done(struct kw_table *table)
{
    if (table != NULL && table->scols != NULL) {
        scols_unref_table(table->scols);
        table->scols = NULL;
    }
}
