/* Programs run by the demo: started, read, killed, with every step timed and told. */
#ifndef CLIENT_CLI_DEMO_RUN_H
#define CLIENT_CLI_DEMO_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { DEMO_OUTPUT_MAX = 65536, DEMO_WORDS_MAX = 32, DEMO_PATH_MAX = 1024 };

/* What a program printed, stdout and stderr together, and how it ended. */
struct demo_output {
    char text[DEMO_OUTPUT_MAX + 1];
    size_t len;
    int code; /* exit code; -1: could not be run, was killed or took too long */
};

/* Runs words[0] with the others as its arguments, words ending with NULL, at most seconds long. */
bool demo_run(const char *const *words, unsigned seconds, struct demo_output *ret_output);
/* Starts one that goes on; its output goes to a file. -1: could not. */
pid_t demo_start(const char *const *words, const char *output_file);
/* By pid, our own child: the signal, then waits until it has ended. */
void demo_end(pid_t *pid, int signal);
bool demo_alive(pid_t pid);
/* Copies what follows a line's first word ("invite  a.test/K7..."), up to the next blank. */
bool demo_word_after(const char *text, const char *label, char *ret_word, size_t len);
/* Waits until the file has the text; false after so many seconds. */
bool demo_wait_for(const char *file, const char *text, unsigned seconds);
void demo_remove_tree(const char *path);
/* Does any file below the folder hold these bytes? */
bool demo_tree_holds(const char *path, const void *bytes, size_t len);
double demo_now_s(void);

#endif
