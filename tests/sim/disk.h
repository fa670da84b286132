/* What happens to disks of cells, all while the cell is down: it is lost, or an older copy of it comes back. */
#ifndef KW_TESTS_SIM_DISK_H
#define KW_TESTS_SIM_DISK_H

#include "tests/sim/cell.h"

/* A copy of the cell's disk is put aside, in the place of the one before. */
void sim_disk_copy(struct sim *sim, size_t cell);

/* The disk is gone, with its copies. The cell will begin with an empty one and a new store; who was there is to be
 * fenced. */
void sim_disk_lose(struct sim *sim, size_t cell);

/* The copy comes in the disk's place. False: there is none. */
bool sim_disk_restore(struct sim *sim, size_t cell);

#endif
