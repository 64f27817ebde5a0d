/* A folder of its own for the database files of a test. */
#ifndef TESTS_SUPPORT_STORE_DIR_H
#define TESTS_SUPPORT_STORE_DIR_H

struct store_dir {
    char folder[64];
    char path[96]; /* of a database in it, not created */
};

/* Below $TMPDIR or /tmp. Exits the program when it can't. */
void store_dir_make(struct store_dir *d);
/* In memory where the machine has such a place (/dev/shm): for many small runs, whose syncs would
 * only wait for a disk that others use too. */
void store_dir_make_fast(struct store_dir *d);
/* Removes the folder and the files in it. */
void store_dir_remove(struct store_dir *d);

#endif
