/* A simulated pen: sdk/pen as firmware has it, with OpenSSL in the place of the AES engine and
 * memory for flash. */
#ifndef KW_CLI_PEN_SIM_H
#define KW_CLI_PEN_SIM_H

#include "cli/delivery.h"
#include "common/base/secret.h"
#include "sdk/pen/keyward_pen.h"

#define KW_PEN_SIM_SERIAL_SIZE 32

struct kw_pen_sim {
    struct kw_pen_device device;
    struct kw_pen_session session;
    char serial[KW_PEN_SIM_SERIAL_SIZE];
    uint32_t doses; /* in its log */
};

/* Programs a pen as a station's secure element does: unwraps the delivered key with the station's
 * transport key and compares the check value. Fails: BINDING_INVALID (not wrapped under this key,
 * or another key). */
struct kw_result kw_pen_sim_program(struct kw_pen_sim *pen, const struct kw_delivery *delivery,
                                    const struct kw_secret *transport_key, struct kw_error *err);

/* The answer to a challenge. Fails: CRYPTO. */
struct kw_result kw_pen_sim_prove(const struct kw_pen_sim *pen,
                                  const uint8_t challenge[KW_PEN_NONCE_SIZE],
                                  uint8_t ret_tag[KW_PEN_TAG_SIZE], struct kw_error *err);

/* Answers M1 with M2, and takes M3. Fail: BINDING_INVALID (the pen refuses), SYSTEM. */
struct kw_result kw_pen_sim_answer(struct kw_pen_sim *pen, struct kw_bytes m1,
                                   uint8_t ret_m2[KW_PEN_M2_SIZE], struct kw_error *err);
struct kw_result kw_pen_sim_finish(struct kw_pen_sim *pen, struct kw_bytes m3,
                                   struct kw_error *err);

/* Somebody injects: the next dose, sealed for the app; `last` says that the log ends here. Fails:
 * BINDING_INVALID (no session). */
struct kw_result kw_pen_sim_dose(struct kw_pen_sim *pen, const struct kw_pen_dose *dose,
                                 uint8_t ret_record[KW_PEN_DOSE_RECORD_SIZE], struct kw_error *err);

/* Takes the app's acknowledgement. Fails: BINDING_INVALID. */
struct kw_result kw_pen_sim_acknowledge(struct kw_pen_sim *pen, struct kw_bytes record,
                                        uint32_t *ret_sequence, struct kw_error *err);

/* Wipes `count` pens. */
void kw_pen_sim_wipe(struct kw_pen_sim *pens, size_t count);

#endif
