/* The network: links between cells, in order and without loss inside the life of a link, as TCP is; and all
 * that goes wrong around that. */
#ifndef KW_TESTS_SIM_NET_H
#define KW_TESTS_SIM_NET_H

#include "services/replicator/core/replicator.h"
#include "tests/sim/sim.h"

void sim_net_init(struct sim *sim);
void sim_net_done(struct sim *sim);

/* Hands a frame to the link; it comes out at the other end, or the link ends before. */
void sim_net_send(struct sim *sim, size_t from, size_t to, const struct kw_frame *frame);

/* Somebody says this over a link that is up, drawn. False: there is none. */
bool sim_net_inject(struct sim *sim, enum kw_frame_type type, const struct kw_buf *record,
                    unsigned attack);

/* Ends this side of a link; the other side hears of it unless the way there is dark. */
void sim_net_cut(struct sim *sim, size_t from, size_t to);

/* A cell is gone: its links end, and nobody is told by it. */
void sim_net_forget(struct sim *sim, size_t cell);

/* Links of one more cell, which has peers. */
void sim_net_add(struct sim *sim, size_t cell);

/* How long something takes from one cell to another now; false: it would be lost. */
bool sim_net_way(struct sim *sim, size_t from, size_t to, uint64_t *ret_ms);

/* Nothing gets through from one cell to another until then; what is sent waits. */
void sim_net_darken(struct sim *sim, size_t from, size_t to, uint64_t until_ms);

/* All darkness ends now, and every link is made anew: who lied on one is gone. */
void sim_net_heal(struct sim *sim);

#endif
