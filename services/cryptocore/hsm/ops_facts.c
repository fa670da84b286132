/* MAC_FACTS and VERIFY_FACTS: the MACs of enabling facts, and of the key they are about. The label
 * keeps them apart from all other MACs. */
#include "services/cryptocore/hsm/operations.h"

static const char fact_label[] = "KEYWARD-FACT-v1";

static struct kw_result fact_mac(struct kw_hsm_session *session, struct kw_bytes content,
                                 uint8_t ret_mac[KW_HSM_MAC_LEN], struct kw_error *err)
{
    struct kw_bytes parts[] = {KW_BYTES(fact_label, sizeof(fact_label) - 1), content};

    return kw_hsm_cmac_sure(session, session->mac_key, parts, 2, ret_mac, err);
}

static struct kw_result fact_check(struct kw_hsm_session *session, const struct kw_hsm_fact *fact,
                                   bool *ret_right, struct kw_error *err)
{
    struct kw_bytes parts[] = {KW_BYTES(fact_label, sizeof(fact_label) - 1), fact->content};

    return kw_hsm_cmac_check(session, session->mac_key, parts, 2, fact->mac, ret_right, err);
}

struct kw_result kw_hsm_facts_verify(struct kw_hsm_session *session,
                                     const struct kw_hsm_fact *facts, size_t count,
                                     struct kw_error *err)
{
    for (size_t i = 0; i < count; i++) {
        bool right = false;

        KW_TRY(fact_check(session, &facts[i], &right, err));
        KW_ENSURE(right, err, BINDING_INVALID, "MAC of fact %zu", i);
    }
    return KW_OK;
}

struct kw_result kw_hsm_op_verify_facts(struct kw_hsm_session *session, struct kw_arena *arena,
                                        const struct kw_hsm_request *request,
                                        struct kw_hsm_answer *answer, struct kw_error *err)
{
    (void)arena;
    (void)answer;
    KW_TRY(kw_hsm_key_binding_verify(session, &request->verify_facts.device, err));
    return kw_hsm_facts_verify(session, request->verify_facts.facts, request->verify_facts.count,
                               err);
}

struct kw_result kw_hsm_op_mac_facts(struct kw_hsm_session *session, struct kw_arena *arena,
                                     const struct kw_hsm_request *request,
                                     struct kw_hsm_answer *answer, struct kw_error *err)
{
    size_t count = request->mac_facts.count;
    uint8_t(*macs)[KW_HSM_MAC_LEN] = kw_arena_alloc(arena, count * sizeof(*macs));

    KW_ENSURE(macs != NULL, err, MEMORY, "%zu MACs", count);
    for (size_t i = 0; i < count; i++) {
        KW_TRY(fact_mac(session, request->mac_facts.contents[i], macs[i], err));
    }
    KW_TRY(kw_hsm_session_probe(session, err)); /* an HSM may be wrong the same way each time */
    answer->macs.items = (const uint8_t(*)[KW_HSM_MAC_LEN])macs;
    answer->macs.count = count;
    return KW_OK;
}
