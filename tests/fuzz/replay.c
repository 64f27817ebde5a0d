/* Stands in for libFuzzer where it isn't linked: runs a fuzz target over each file of the folders
 * given, whole and cut short at 64 places. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void run(const uint8_t *data, size_t len)
{
    /* a block of its own length, so that reading over the end shows */
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    if (copy == NULL)
        abort();
    memcpy(copy, data, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static size_t run_file(const char *path)
{
    enum { MOST = 1 << 20, CUTS = 64 };
    FILE *in = fopen(path, "rb");
    uint8_t *data = malloc(MOST);
    if (in == NULL || data == NULL) {
        perror(path);
        exit(1);
    }
    size_t len = fread(data, 1, MOST, in);
    fclose(in);
    for (size_t i = 1; i <= CUTS; i++)
        run(data, len * i / CUTS);
    free(data);
    return CUTS;
}

int main(int argc, char **argv)
{
    size_t files = 0;
    size_t runs = 0;
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        if (folder == NULL) {
            perror(argv[i]);
            return 1;
        }
        for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
            char path[4096];
            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            runs += run_file(path);
            files++;
        }
        closedir(folder);
    }
    printf("%zu files, %zu runs\n", files, runs);
    return files == 0;
}
