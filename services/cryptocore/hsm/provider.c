/* The rows of the provider table. Sources: reference probes of SoftHSM 2.6.1; AWS CloudHSM Client
 * SDK 5 guide. */
#include "services/cryptocore/hsm/provider.h"

#include <string.h>

#define CLOUDHSM_VENDOR                0x80000000UL
#define CKM_CLOUDHSM_AES_WRAP_ZERO_PAD (CLOUDHSM_VENDOR | 0x216FUL) /* RFC 5649 */
#define CKM_CLOUDHSM_AES_WRAP_NO_PAD   (CLOUDHSM_VENDOR | 0x2109UL) /* RFC 3394 */
#define CKM_CLOUDHSM_SP800_108_COUNTER (CLOUDHSM_VENDOR | 0x0001UL)

#define SOFTHSM_BLOB_LEN_MAX                                                                       \
    (1024U *                                                                                       \
     1024U) /* memory alone limits it; this is our message limit                           \
                     */
#define CLOUDHSM_BLOB_LEN_MAX 16224U

static const struct kw_hsm_provider rows[] = {
    {
        .name = "softhsm",
        .kwp = CKM_AES_KEY_WRAP_PAD,
        .kw = CKM_AES_KEY_WRAP,
        .cmac = CKM_AES_CMAC,
        .kdf_mechanism = 0,
        .kdf = KW_HSM_KDF_CMAC_LOOP,
        .ecdh = KW_HSM_ECDH_RAW,
        .gcm_iv = KW_HSM_GCM_IV_BY_CALLER,
        .trusted_wrap = false,
        .token_keys_on_disk = true,
        .attribute_templates = true,
        .tamper_is_general = true,
        .blob_len_max = SOFTHSM_BLOB_LEN_MAX,
    },
    {
        .name = "cloudhsm",
        .kwp = CKM_CLOUDHSM_AES_WRAP_ZERO_PAD,
        .kw = CKM_CLOUDHSM_AES_WRAP_NO_PAD,
        .cmac = CKM_AES_CMAC,
        .kdf_mechanism = CKM_CLOUDHSM_SP800_108_COUNTER,
        .kdf = KW_HSM_KDF_MECHANISM,
        .ecdh = KW_HSM_ECDH_X963_SHA384,
        .gcm_iv = KW_HSM_GCM_IV_BY_HSM,
        .trusted_wrap = true,
        .token_keys_on_disk = false,
        .attribute_templates = true,
        .tamper_is_general = false,
        .blob_len_max = CLOUDHSM_BLOB_LEN_MAX,
    },
};

struct kw_result kw_hsm_provider_find(const char *name, const struct kw_hsm_provider **ret_provider,
                                      struct kw_error *err)
{
    for (size_t i = 0; i < KW_CK_COUNT(rows); i++) {
        if (strcmp(rows[i].name, name) == 0) {
            *ret_provider = &rows[i];
            return KW_OK;
        }
    }
    KW_FAIL(err, CONFIG_INVALID, "there is no HSM provider \"%s\"", name);
}
