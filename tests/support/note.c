/* Notes: to the file in KW_TEST_NOTES, or where nobody asked for one to standard output. */
#include "tests/support/note.h"

#include "tests/support/must.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void test_note(const char *format, ...)
{
    const char *path = getenv("KW_TEST_NOTES");
    FILE *out = path != NULL ? fopen(path, "a") : stdout;
    va_list args;

    REQUIRE(out != NULL, "can't write to %s", path);
    (void)fprintf(out, "# ");
    va_start(args, format);
    (void)vfprintf(out, format, args);
    va_end(args);
    (void)fprintf(out, "\n");
    REQUIRE(fflush(out) == 0 && (out == stdout || fclose(out) == 0), "can't write to %s", path);
}
