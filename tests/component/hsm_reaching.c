/* hsm_reaching: SoftHSM, but reached for over the network first, as vendors' modules do. */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"

union entry {
    void *symbol;
    CK_C_GetFunctionList call;
};

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **ret_functions);

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **ret_functions)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    void *library = dlopen(SOFTHSM, RTLD_NOW | RTLD_LOCAL);
    union entry entry;

    if (fd < 0 || library == NULL) {
        return CKR_DEVICE_ERROR;
    }
    (void)close(fd);
    entry.symbol = dlsym(library, "C_GetFunctionList");
    return entry.call(ret_functions);
}
