/* grpc_echo DIR: a unary echo by libgrpc's own server, mutual TLS with DIR/{key,cert,ca}.pem.
 * Prints READY port=N. */
#include "bench/echo.h"
#include "bench/unary_node.h"
#include "common/rpc/creds.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    static const char *const peers[] = {ECHO_ID, NULL};
    struct unary_node node;
    grpc_server_credentials *creds;

    bench_require(argc == 2, "usage: grpc_echo DIR");
    unary_node_init(&node);
    bench_require(kw_ok(kw_creds_server_dir(argv[1], peers, &creds, NULL)), "credentials");
    (void)printf("READY port=%d\n", unary_listen(&node, ECHO_PATH, creds, unary_answer));
    (void)fflush(stdout);
    unary_node_run(&node);
}
