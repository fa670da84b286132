/* From subjectAltName. */
#include "common/pki/hosts.h"

#include "common/base/limits.h"
#include "common/pki/x509.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#define HOST_LEN_MAX 253

bool kw_host_is_dns(const char *host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
    size_t len = strlen(host);

    return len > 0 && len <= HOST_LEN_MAX && strspn(host, allowed) == len && host[0] != '.' &&
           host[0] != '-';
}

static struct kw_result address_text(const ASN1_OCTET_STRING *address, char text[INET6_ADDRSTRLEN],
                                     struct kw_error *err)
{
    int family = ASN1_STRING_length(address) == sizeof(struct in_addr) ? AF_INET : AF_INET6;

    KW_ENSURE(family == AF_INET || ASN1_STRING_length(address) == sizeof(struct in6_addr), err,
              ARGUMENT_INVALID, "an address of %d bytes", ASN1_STRING_length(address));
    KW_ENSURE(inet_ntop(family, ASN1_STRING_get0_data(address), text, INET6_ADDRSTRLEN) != NULL,
              err, ARGUMENT_INVALID, "an address");
    return KW_OK;
}

/* The host that `name` is, in the arena; NULL: it is of another kind, e.g. the URI. */
static struct kw_result host_read(const GENERAL_NAME *name, struct kw_arena *arena,
                                  const char **ret_host, struct kw_error *err)
{
    char address[INET6_ADDRSTRLEN];

    *ret_host = NULL;
    if (name->type == GEN_DNS) {
        *ret_host = kw_arena_text(arena, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                                  (size_t)ASN1_STRING_length(name->d.dNSName));
        KW_ENSURE(*ret_host != NULL, err, MEMORY, "a host");
        KW_ENSURE(strlen(*ret_host) == (size_t)ASN1_STRING_length(name->d.dNSName) &&
                      kw_host_is_dns(*ret_host),
                  err, ARGUMENT_INVALID, "a host that is no DNS name");
    } else if (name->type == GEN_IPADD) {
        KW_TRY(address_text(name->d.iPAddress, address, err));
        *ret_host = kw_arena_text(arena, address, strlen(address));
        KW_ENSURE(*ret_host != NULL, err, MEMORY, "a host");
    }
    return KW_OK;
}

struct kw_result kw_certificate_hosts(const struct kw_certificate *certificate,
                                      struct kw_arena *arena, const char *const **ret_hosts,
                                      size_t *ret_count, struct kw_error *err)
{
    KW_SCOPED(kw_general_names_done)
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate->x509, NID_subject_alt_name, NULL, NULL);
    const char **hosts = kw_arena_alloc(arena, KW_LEAF_HOSTS_MAX * sizeof(*hosts));
    size_t count = 0;

    KW_ENSURE(hosts != NULL, err, MEMORY, "hosts");
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const char *host;

        KW_TRY(host_read(sk_GENERAL_NAME_value(names, i), arena, &host, err));
        if (host == NULL) {
            continue;
        }
        KW_ENSURE(count < KW_LEAF_HOSTS_MAX, err, ARGUMENT_INVALID, "more than %d hosts",
                  KW_LEAF_HOSTS_MAX);
        hosts[count++] = host;
    }
    *ret_hosts = hosts;
    *ret_count = count;
    return KW_OK;
}
