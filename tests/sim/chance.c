/* Both sources of randomness replaced. One run at a time, one job at a time: no two threads draw at once. */
#include "tests/sim/chance.h"

#include "common/base/random.h"

#include <openssl/rand.h>

static struct sim *of;
static struct sim before; /* what is drawn outside of runs */

static void fill(void *out, size_t len)
{
    uint8_t *bytes = out;

    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)sim_random(of != NULL ? of : &before, 256);
    }
}

static int openssl_fill(unsigned char *out, int len)
{
    fill(out, (size_t)len);
    return 1;
}

static int openssl_ready(void)
{
    return 1;
}

void sim_chance_of(struct sim *sim)
{
    static const RAND_METHOD method = {
        .bytes = openssl_fill, .pseudorand = openssl_fill, .status = openssl_ready};

    of = sim;
    kw_random_replace(fill);
/* There is no other way to have ECDSA draw its nonces from elsewhere. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    if (RAND_set_rand_method(&method) != 1) {
        sim_fatal("RAND_set_rand_method", "OpenSSL");
    }
#pragma GCC diagnostic pop
}
