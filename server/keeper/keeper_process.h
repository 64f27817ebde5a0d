/* The keeper's own process: what runs in it. */
#ifndef SERVER_KEEPER_PROCESS_H
#define SERVER_KEEPER_PROCESS_H

#include "server/keeper/keeper.h"

/* Before any key is in memory: not dumpable, so that no other process of our user may read this
 * one's memory; no core files; signals of terminal and service manager ignored (the process ends
 * when its socket does); every descriptor closed but the socket and stderr. Returns the socket's
 * number, which may change, or -1. */
int keeper_process_begin(int socket);

/* From here on: Landlock and a filter of system calls that leave memory, time, randomness, the
 * descriptors that are open, and writing the key file anew in its folder. Anything else kills.
 * keeper: in-process. ERR_IO when the kernel can't filter. */
CHECKED struct err keeper_confine(struct keeper *keeper);

/* Answers requests until the other end is gone (then ERR_OK), or says what no server says. */
CHECKED struct err keeper_serve(int socket, struct keeper *keeper);

#endif
