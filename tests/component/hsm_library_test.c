/* What lies beneath fails where no module can make it: libp11 without memory, a lock that the kernel refuses. By the
 * linker's --wrap. */
#include "services/cryptocore/hsm/operations.h"
#include "services/cryptocore/hsm/signer.h"
#include "tests/component/hsm_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <sys/file.h>

static struct {
    bool context; /* PKCS11_CTX_new */
    bool key;     /* PKCS11_get_private_key */
    bool lock;    /* flock */
} fails;

PKCS11_CTX *__real_PKCS11_CTX_new(void);
PKCS11_CTX *__wrap_PKCS11_CTX_new(void);
EVP_PKEY *__real_PKCS11_get_private_key(PKCS11_KEY *key);
EVP_PKEY *__wrap_PKCS11_get_private_key(PKCS11_KEY *key);
int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);

PKCS11_CTX *__wrap_PKCS11_CTX_new(void)
{
    return fails.context ? NULL : __real_PKCS11_CTX_new();
}

EVP_PKEY *__wrap_PKCS11_get_private_key(PKCS11_KEY *key)
{
    return fails.key ? NULL : __real_PKCS11_get_private_key(key);
}

int __wrap_flock(int fd, int operation)
{
    if (fails.lock) {
        errno = ENOLCK;
        return -1;
    }
    return __real_flock(fd, operation);
}

static struct hsm_fixture f;
static struct kw_hsm_module module;
static struct kw_hsm_session session;
static struct kw_hsm_token_settings settings;

static void up(void)
{
    struct kw_hsm_token t;

    hsm_fixture_init(&f);
    kw_hsm_ceremony_free(f.ceremony);
    f.ceremony = NULL;
    t = softhsm_token(&f.softhsm);
    settings = (struct kw_hsm_token_settings){t.provider, t.module_path, t.token_label, t.pin_path,
                                              t.lock_path};
}

static void down(void)
{
    kw_hsm_session_close(&session);
    kw_hsm_module_close(&module);
    hsm_fixture_done(&f);
}

TestSuite(hsm_library, .init = up, .fini = down, .timeout = 60);

static void module_open(void)
{
    struct kw_error err = {0};

    cr_assert(kw_ok(kw_hsm_module_open(&module, &settings, &err)), "%s", err.message);
}

static enum kw_reason session_open(void)
{
    return kw_hsm_session_open(&session, &module, KW_HSM_READ_ONLY, NULL).reason;
}

/* The module was up already: it is closed again, and comes up at the next try. */
Test(hsm_library, libp11_without_memory_opens_no_module)
{
    fails.context = true;
    cr_assert(eq(int, kw_hsm_module_open(&module, &settings, NULL).reason, KW_E_MEMORY));
    cr_assert(eq(ptr, module.library, NULL));
    fails.context = false;
    module_open();
}

Test(hsm_library, a_signing_key_that_libp11_does_not_give_is_the_hsm_s_trouble)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};

    module_open();
    cr_assert(eq(int, session_open(), KW_E_NONE));
    fails.key = true;
    cr_assert(eq(int, kw_hsm_signer_key(&session, KW_HSM_CHECKPOINT, &key, NULL).reason,
                 KW_E_HSM_UNAVAILABLE));
    cr_assert(eq(int, session.fault, KW_HSM_CLASS_SESSION), "another session may do");
    fails.key = false;
    cr_assert(kw_ok(kw_hsm_signer_key(&session, KW_HSM_CHECKPOINT, &key, NULL)));
}

/* Two workers that log in at a time may lock the token: without the lock there is no attempt. */
Test(hsm_library, without_the_lock_there_is_no_login)
{
    module_open();
    fails.lock = true;
    cr_assert(eq(int, session_open(), KW_E_SYSTEM));
    cr_assert(eq(u32, session.calls[KW_C_Login], 0));
    fails.lock = false;
    cr_assert(eq(int, session_open(), KW_E_NONE));
    cr_assert(eq(u32, session.calls[KW_C_Login], 1));
}
