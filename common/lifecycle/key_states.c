/* keyward-key-states: prints docs/key-states.md. A build tool, not installed. */
#include "common/lifecycle/table.h"

#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    KW_SCOPED(kw_buf_done) struct kw_buf page = {0};

    if (!kw_ok(kw_table_document(&page, NULL)) ||
        fwrite(page.data, 1, page.len, stdout) != page.len || fflush(stdout) != 0) {
        (void)fputs("keyward-key-states: cannot write\n", stderr);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
