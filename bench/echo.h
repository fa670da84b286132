/* What the echo servers of the edge bench have in common. */
#ifndef KW_BENCH_ECHO_H
#define KW_BENCH_ECHO_H

#define ECHO_ID   "spiffe://bench/svc/node" /* of both ends */
#define ECHO_PATH "/bench.Echo/Call"

#endif
