/* What must be so before gRPC core starts: its log is ours, and TLS 1.2 cannot be negotiated. */
#include "common/base/log.h"
#include "common/rpc/tag.h"

#include <grpc/support/log.h>
#include <openssl/crypto.h>
#include <stdlib.h>

/* gRPC 1.51 has no setting for the lowest TLS version. This list holds for TLS 1.2 alone, and a
 * suite that needs a pre-shared key cannot be used with certificates: 1.2 ends with "no shared
 * cipher", 1.3 is untouched. */
#define ONLY_TLS_1_3 "PSK-AES256-GCM-SHA384"

/* gRPC's own wording of things that are normal here: a peer dialled by address, a peer that is
 * down. */
static bool is_noise(const char *message)
{
    return strstr(message, "No match found for server name") != NULL;
}

static void on_log(gpr_log_func_args *args)
{
    if (args->severity == GPR_LOG_SEVERITY_ERROR && !is_noise(args->message)) {
        KW_LOG(WARN, "grpc", KW_F_STR("text", args->message), KW_F_STR("file", args->file),
               KW_F_I64("line", args->line));
    } else {
        KW_LOG(DEBUG, "grpc", KW_F_STR("text", args->message), KW_F_STR("file", args->file),
               KW_F_I64("line", args->line));
    }
}

/* gRPC detaches threads that may live longer than main, and they use OpenSSL: what its clean-up at
 * exit would take away under them stays. Only the first to initialise OpenSSL can say so. */
static __attribute__((constructor)) void keep_openssl_to_the_end(void)
{
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

void kw_grpc_start(void)
{
    (void)setenv("GRPC_SSL_CIPHER_SUITES", ONLY_TLS_1_3, 1);
    gpr_set_log_function(on_log);
    grpc_init();
}

void kw_grpc_stop(void)
{
    grpc_shutdown_blocking(); /* plain grpc_shutdown may still be at work in a thread when the
                                 process exits */
}
