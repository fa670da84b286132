/* A SoftHSM token of its own for each test: a temporary directory, an initialised token,
 * SOFTHSM2_CONF set for this process and its children, the PIN in a file of mode 0600. */
#ifndef KW_TESTS_SUPPORT_SOFTHSM_H
#define KW_TESTS_SUPPORT_SOFTHSM_H

#include "services/cryptocore/hsm/ceremony.h"

#define SOFTHSM_TOKEN_LABEL "keyward-test"

struct softhsm {
    char dir[64];
    char conf[96];
    char tokens[96]; /* where the token's objects are */
    char pin[96];
    char lock[96];
};

/* Aborts the test when something fails, like everything here. */
void softhsm_init(struct softhsm *softhsm);
void softhsm_done(struct softhsm *softhsm);

/* As the ceremony and the pool take it. */
struct kw_hsm_token softhsm_token(const struct softhsm *softhsm);

/* Writes another PIN into the file. */
void softhsm_pin_write(const struct softhsm *softhsm, const char *pin);

/* One more token of the same label, with the same PINs. */
void softhsm_another_token(void);

/* Takes the token's directory away, and puts it back. */
void softhsm_unplug(const struct softhsm *softhsm);
void softhsm_plug(const struct softhsm *softhsm);

#endif
