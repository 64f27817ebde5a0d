/* What limits with long windows have spent, across a restart: one small file of the data folder,
 * sealed under the keeper's key (front_save), written anew and renamed. Losing it costs nothing but
 * a fresh day for those who spent theirs.
 */
#ifndef SERVER_MAIN_LIMITS_FILE_H
#define SERVER_MAIN_LIMITS_FILE_H

#include "server/front/front.h"

#define LIMITS_FILE "run/limits"

/* By way of path.new; mode 0600. ERR_IO (errno), those of front_save(). */
CHECKED struct err limits_file_write(struct front *front, const char *path);
/* ERR_NOT_FOUND: there is none; ERR_TOO_LARGE; ERR_IO; those of front_load(). */
CHECKED struct err limits_file_read(struct front *front, const char *path);

#endif
