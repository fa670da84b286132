/* bench_credentials DIR: a throw-away CA and one leaf, for both ends of an echo bench. */
#include "bench/bench.h"
#include "bench/echo.h"
#include "tests/support/certs.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    static const char *const uris[] = {ECHO_ID, NULL};
    struct test_ca ca;

    bench_require(argc == 2, "usage: bench_credentials DIR");
    test_ca_init(&ca, "bench");
    test_credentials(argv[1], &ca, &ca, uris);
    test_ca_done(&ca);
    return EXIT_SUCCESS;
}
