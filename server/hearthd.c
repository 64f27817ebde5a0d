/* The homeserver. Everything is in server/main. */
#include "server/main/command.h"

int main(int argc, char **argv)
{
    return command_main(argc, argv);
}
