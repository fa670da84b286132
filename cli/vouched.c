/* A voucher is held against what is shown, and then believed or not. */
#include "cli/vouched.h"

#include "common/pki/region.h"
#include "common/rpc/messages.h"

#include <string.h>

/* --- what it says --- */

static bool is_at(const struct kw_voucher *voucher, const char *place)
{
    size_t region_len = voucher->region.len;

    return strlen(place) == region_len + 1 + voucher->cell.len &&
           kw_bytes_equal(KW_BYTES(place, region_len), voucher->region) &&
           place[region_len] == '/' &&
           kw_bytes_equal(kw_bytes_str(place + region_len + 1), voucher->cell);
}

/* Whose it says that it is. */
static const char *at_fault(const struct kw_vouching *vouching, const Keyward__V1__Store *shown,
                            const struct kw_voucher *voucher)
{
    if (!kw_bytes_equal(kw_id_bytes(&voucher->store), kw_bytes_field(shown->store))) {
        return "its voucher is another store's";
    }
    if (!is_at(voucher, vouching->place)) {
        return "its voucher is of another place";
    }
    return kw_bytes_equal(voucher->service, kw_bytes_str("authz")) ||
                   kw_bytes_equal(voucher->service, kw_bytes_str("orchestrator"))
               ? NULL
               : "its voucher is of no owner";
}

/* --- is it to be believed? --- */

/* A root certifies CAs of callers, too. */
static struct kw_result check_ca(const struct kw_voucher *voucher, const struct kw_spiffe *self,
                                 const char **ret_why, struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};

    KW_TRY(kw_certificate_from_der(&leaf, voucher->chain[0], err));
    *ret_why = kw_region_services_issued(leaf.x509, self->region)
                   ? NULL
                   : "its voucher is by no services CA of that region";
    return KW_OK;
}

/* As of when it was made: its certificate may have expired since. */
static struct kw_result check(const struct kw_vouching *vouching, const struct kw_voucher *voucher,
                              const char **ret_why, struct kw_error *err)
{
    struct kw_voucher_trust trust = {.services = vouching->root};
    uint64_t at_ms = voucher->issued_ms < vouching->now_ms ? voucher->issued_ms : vouching->now_ms;
    enum kw_lane_verdict verdict;

    KW_TRY(kw_voucher_place(voucher, vouching->trust_domain, &trust.self, err));
    KW_TRY(kw_voucher_check(voucher, voucher->mesh, &trust, at_ms, &verdict, err));
    if (verdict != KW_LANE_NEWS) {
        *ret_why = "its voucher is not proven";
        return KW_OK;
    }
    return check_ca(voucher, &trust.self, ret_why, err);
}

struct kw_result kw_vouched_read(const struct kw_vouching *vouching,
                                 const Keyward__V1__Store *shown, struct kw_voucher *ret_voucher,
                                 const char **ret_why, struct kw_error *err)
{
    struct kw_result read;

    *ret_why = "it has no voucher";
    if (shown->voucher.len == 0) {
        return KW_OK;
    }
    read = kw_voucher_decode(kw_bytes_field(shown->voucher), ret_voucher, err);
    if (read.reason == KW_E_ENCODING_INVALID) {
        *ret_why = "its voucher can't be read";
        return KW_OK;
    }
    KW_TRY(read);
    *ret_why = at_fault(vouching, shown, ret_voucher);
    return *ret_why == NULL ? check(vouching, ret_voucher, ret_why, err) : KW_OK;
}
